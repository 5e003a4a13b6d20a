package embedded

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// request is a shape request, read and checked as far as it can be without the
// database.
type request struct {
	definition definition
	offset     shapes.Offset
	handle     string // "" when the offset is -1: Electric drops it then
	live       bool
	cursor     int64
}

// parseRequest reads the parameters of a shape request, in Electric's order:
// what is wrong in more than one place is told of the first (sync-service 1.7.12,
// shapes/api/params.ex). Of a parameter given twice the last counts; unknown ones
// are ignored.
func parseRequest(q url.Values) (request, *requestError) {
	var r request
	if err := checkModes(q); err != nil {
		return r, err
	}
	params, err := bindParams(q)
	if err != nil {
		return r, err
	}
	r.live = flag(q, "live")
	if err := r.position(q); err != nil {
		return r, err
	}
	if flag(q, "live_sse") || flag(q, "experimental_live_sse") {
		if !r.live {
			return r, &requestError{"live_sse", "can't be true unless live is also true"}
		}
		return r, &requestError{"live_sse", "is not supported by the embedded shape server"}
	}
	d := &r.definition
	if d.table, err = parseTable(last(q, "table")); err != nil {
		return r, err
	}
	if d.columns, err = parseColumns(last(q, "columns")); err != nil {
		return r, err
	}
	d.where, err = parseWhere(last(q, "where"), params)
	return r, err
}

// checkModes refuses the values that Electric refuses, and the modes that are
// not served here.
func checkModes(q url.Values) *requestError {
	switch last(q, "replica") {
	case "", "default":
	case "full":
		return &requestError{"replica", "full is not supported by the embedded shape server"}
	default:
		return &requestError{"replica", "is invalid"}
	}
	switch last(q, "log") {
	case "", "full":
	case "changes_only":
		return &requestError{"log", "changes_only is not supported by the embedded shape server"}
	default:
		return &requestError{"log", "is invalid"}
	}
	for key := range q {
		if strings.HasPrefix(key, "subset__") {
			return &requestError{"subset", "is not supported by the embedded shape server"}
		}
	}
	return nil
}

// position reads offset, handle, live and cursor together.
func (r *request) position(q url.Values) *requestError {
	text := last(q, "offset")
	if text == "" {
		return &requestError{"offset", "can't be blank"}
	}
	var err error
	if r.offset, err = shapes.ParseOffset(text); err != nil {
		return &requestError{"offset", "has invalid format"}
	}
	r.handle = last(q, "handle")
	// A cursor is a number of seconds; what cannot be one counts as none.
	if c, err := strconv.ParseInt(last(q, "cursor"), 10, 64); err == nil && c < 1<<53 {
		r.cursor = c
	}
	switch r.offset.Kind {
	case shapes.BeforeAll:
		if r.live {
			return &requestError{"live", "can't be true when offset == -1"}
		}
		r.handle = ""
	case shapes.Now:
		if r.live {
			return &requestError{"live", "can't be true when offset is 'now'"}
		}
		return &requestError{"offset", "now is not supported by the embedded shape server"}
	default:
		if r.handle == "" {
			return &requestError{"handle", "can't be blank when offset != -1"}
		}
	}
	return nil
}

// bindParams reads params[1], params[2] and so on.
func bindParams(q url.Values) ([]string, *requestError) {
	if q.Has("params") {
		return nil, &requestError{"params", "is invalid"}
	}
	byNumber := make(map[int]string)
	for key := range q {
		inner, ok := strings.CutPrefix(key, "params[")
		if !ok || !strings.HasSuffix(inner, "]") {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(inner, "]"))
		if err != nil {
			return nil, &requestError{"params", "Parameters can only use numbers as keys"}
		}
		byNumber[n] = last(q, key)
	}
	params := make([]string, len(byNumber))
	for i := range params {
		v, ok := byNumber[i+1]
		if !ok {
			return nil, &requestError{"params", "Parameters must be numbered sequentially, starting from 1"}
		}
		params[i] = v
	}
	return params, nil
}

// flag reads a switch as Electric does: there, with any value but "false".
func flag(q url.Values, key string) bool {
	return q.Has(key) && last(q, key) != "false"
}

func last(q url.Values, key string) string {
	v := q[key]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}
