package electric

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// concealed makes an error fit for a log: it names the side, and says nothing that
// an upstream may not say there. What one says can repeat what it was asked: a refusal
// repeats a bound value (Electric 1.7.12 does where it cannot cast one), and net/http
// quotes an answer that is not HTTP, which from a server that is no Electric may well
// be the request, with the secret in it.
func (c *Client) concealed(err error, def *shapes.Definition) error {
	if e, ok := errors.AsType[*shapes.Unavailable](err); ok {
		// Not value by value: a tag "e" would make every word of it unreadable.
		text := conceal(e.Err.Error(), []bound{{def.Query(), "the query"}, {c.secret, "secret"}})
		return &shapes.Unavailable{RetryAfter: e.RetryAfter, Misconfigured: e.Misconfigured, Err: fit{def.Table().Side() + ": " + text, e.Err}}
	}
	if e, ok := errors.AsType[*shapes.Refused](err); ok {
		body := concealCut(e.Body, maxError, append(values(def), bound{c.secret, "secret"}))
		return &shapes.Refused{Side: def.Table().Side(), Status: e.Status, Body: body}
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

// brief is an error of net/http without what it quotes of an answer that is no HTTP.
func brief(err error) error {
	const broken = "transport connection broken: "
	text := err.Error()
	i := strings.Index(text, broken)
	if i < 0 {
		return err
	}
	i += len(broken)
	for _, prefix := range []string{"net/http: ", "http: "} {
		if strings.HasPrefix(text[i:], prefix) {
			i += len(prefix)
		}
	}
	if j := strings.IndexAny(text[i:], `":[`); j >= 0 {
		return fit{strings.TrimSpace(text[:i+j]), err}
	}
	return err
}

// messages are those of a Scanner, of the kinds that a 200 has. Errors name the side.
type messages struct {
	*shapes.Scanner
	client *Client
	def    *shapes.Definition
}

func (m messages) Next(enough int) (shapes.Message, error) {
	message, err := m.Scanner.Next(enough)
	if err == nil && (message.Kind == shapes.ControlMustRefetch || message.Kind == shapes.ControlOther) {
		err = fmt.Errorf("%w: a control message that has no place in the body of a 200", shapes.ErrMalformed)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: reading an answer: %w", m.def.Table().Side(), brief(err))
	}
	return message, err
}

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
	var all []string
	for _, f := range forms(values) {
		all = append(all, f.value, f.name)
	}
	return strings.NewReplacer(all...).Replace(text)
}

// concealCut is conceal of the beginning of a text, of which more than most bytes
// were read if there is more. A value that the cut goes through is not left there in
// part.
func concealCut(text string, most int, values []bound) string {
	if len(text) <= most {
		return conceal(text, values)
	}
	text = conceal(text[:most], values)
	all := forms(values)
	if len(all) == 0 {
		return text + "..."
	}
	for i := max(0, len(text)-len(all[0].value)); i < len(text); i++ { // the first is the longest
		for _, f := range all {
			if len(f.value) > len(text)-i && strings.HasPrefix(f.value, text[i:]) {
				return text[:i] + "..."
			}
		}
	}
	return text + "..."
}

// forms are all that values may look like, the longest first: of a value inside
// another nothing may be left over.
func forms(values []bound) []bound {
	var all []bound
	for _, b := range values {
		if b.value == "" {
			continue
		}
		quoted := strconv.Quote(b.value)
		for _, form := range []string{
			b.value, url.QueryEscape(b.value), url.PathEscape(b.value), inJSON(b.value, false), inJSON(b.value, true), quoted[1 : len(quoted)-1],
		} {
			all = append(all, bound{form, b.name})
		}
	}
	slices.SortStableFunc(all, func(a, b bound) int { return len(b.value) - len(a.value) })
	return all
}

func inJSON(value string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(value)              // a string has no way to fail
	return b.String()[1 : b.Len()-2] // without the quotes and the line's end
}
