package electric

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// concealed makes an error fit for a log. What an upstream says can repeat what
// it was asked: a refusal repeats a bound value (Electric 1.7.12 does where it
// cannot cast one), and net/http quotes an answer that is not HTTP, which from a
// server that is no Electric may well be the request, with the secret in it.
func (c *Client) concealed(err error, def *shapes.Definition) error {
	if e, ok := errors.AsType[*shapes.Unavailable](err); ok {
		// Not value by value: a tag "e" would make every word of it unreadable.
		text := conceal(e.Err.Error(), []bound{{def.Query(), "the query"}, {c.secret, "secret"}})
		return &shapes.Unavailable{RetryAfter: e.RetryAfter, Err: fit{text, e.Err}}
	}
	if e, ok := errors.AsType[*shapes.Refused](err); ok {
		return &shapes.Refused{Status: e.Status, Body: conceal(e.Body, append(values(def), bound{c.secret, "secret"}))}
	}
	return err
}

// fit is an error that says less than its cause.
type fit struct {
	text  string
	cause error
}

func (e fit) Error() string { return e.text }
func (e fit) Unwrap() error { return e.cause }

// bound is a value that is sent, and the name under which it is.
type bound struct{ value, name string }

// values are those that a definition binds.
func values(def *shapes.Definition) (all []bound) {
	params, _ := url.ParseQuery(def.Query()) // it was encoded by Define
	for name, values := range params {
		if strings.HasPrefix(name, "params[") {
			all = append(all, bound{values[0], name})
		}
	}
	return all
}

// conceal replaces values by their names, wherever they stand in text: as they
// are, or as a URL, a JSON string or Go's quotes hold them.
func conceal(text string, values []bound) string {
	var forms []bound
	for _, b := range values {
		if b.value == "" {
			continue
		}
		quoted := strconv.Quote(b.value)
		for _, form := range []string{b.value, url.QueryEscape(b.value), inJSON(b.value), quoted[1 : len(quoted)-1]} {
			forms = append(forms, bound{form, b.name})
		}
	}
	// The longest first: of a value inside another nothing may be left over.
	slices.SortFunc(forms, func(a, b bound) int { return len(b.value) - len(a.value) })
	var all []string
	for _, f := range forms {
		all = append(all, f.value, f.name)
	}
	return strings.NewReplacer(all...).Replace(text)
}

func inJSON(value string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)              // a string has no way to fail
	return b.String()[1 : b.Len()-2] // without the quotes and the line's end
}
