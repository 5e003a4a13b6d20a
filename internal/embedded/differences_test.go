package embedded

import (
	"strings"
)

// difference is a known way in which this server is not Electric.
type difference struct {
	name   string
	in     []string // scenarios in which it must show; none means all
	reason string
	is     func(finding) bool
}

func header(name string) func(finding) bool {
	return func(f finding) bool { return f.what == "header "+name }
}

var differences = []difference{
	{name: "electric-server", reason: "the server says its own name",
		is: func(f finding) bool { return f.what == "header electric-server" && f.ours == serverHeader }},
	{name: "x-request-id", reason: "a number of Electric's own, that no client reads", is: header("x-request-id")},
	{name: "date", reason: "set by net/http on a socket; there is none in process", is: header("date")},
	{name: "vary", reason: "Electric's web server sets it; bodies are never compressed here", is: header("vary")},
	{name: "content-length", reason: "bodies are in hand here and their length is known; Electric sends them chunked",
		is: func(f finding) bool {
			return f.what == "header transfer-encoding" && f.ours == "(none)" ||
				f.what == "header content-length" && f.recorded == "(none)"
		}},
	{name: "array dimensions", in: []string{"02-two-tables", "03-batch-feed", "04-single-run", "09-rotation-409"},
		reason: "recorded with a v2 table made by LIKE alone, whose arrays have no dimensions; the schema of the tests names them",
		is: func(f finding) bool {
			return f.what == "header electric-schema" &&
				normalJSON(strings.ReplaceAll(f.recorded, `{"type":"_text"}`, `{"type":"text","dims":1}`)) == normalJSON(f.ours)
		}},
	{name: "offset=now", in: []string{"01-tag-feed"}, reason: "not served here, and refused as Electric refuses",
		is: func(f finding) bool {
			return f.exchange == "now" && f.what == "status" &&
				strings.HasPrefix(f.ours, "400") && strings.Contains(f.ours, `{"offset":["now is not supported`)
		}},
	{name: "live_sse", in: []string{"09-rotation-409"}, reason: "not served here, and refused as Electric refuses",
		is: func(f finding) bool {
			return f.exchange == "other-def-sse" && f.what == "status" &&
				strings.HasPrefix(f.ours, "400") && strings.Contains(f.ours, `{"live_sse":["is not supported`)
		}},
	{name: "empty chunk", in: []string{"20-early-chunk"},
		reason: "Electric can answer nothing, not up to date, while the end of a snapshot is being recorded; here the answer waits for it",
		is: func(f finding) bool {
			switch f.exchange {
			case "t24-next", "t29-next":
				return f.what == "header etag" || f.what == "header electric-offset" && f.ours == "0_inf" ||
					f.what == "header electric-up-to-date" || f.what == "body" && strings.HasPrefix(f.recorded, "0 messages")
			case "t24-next1", "t29-next1":
				return f.what == "header etag" && strings.HasSuffix(f.ours, `:0_inf:0_inf"`)
			}
			return false
		}},
	{name: "where clauses", in: []string{"10-errors-400"},
		reason: "few are served here; all others, Electric's own errors among them, are a 400 that says which",
		is: func(f finding) bool {
			return strings.HasPrefix(f.exchange, "where-") && (f.what == "status" && strings.HasPrefix(f.ours, "400") || f.what == "body") &&
				(strings.Contains(f.ours, whereGrammar[:20]) || strings.Contains(f.ours, "not supported on type"))
		}},
	{name: "values in errors", in: []string{"10-errors-400"}, reason: "a value of a request is not repeated in an error",
		is: func(f finding) bool {
			return f.exchange == "where-time-bad-param" && strings.Contains(f.ours, "invalid syntax for type timestamp\"")
		}},
	{name: "NUL", in: []string{"10-errors-400"}, reason: "text with a NUL byte cannot be in Postgres: it is refused, where Electric makes a shape that stays empty",
		is: func(f finding) bool {
			return f.exchange == "nul-param" && strings.HasPrefix(f.ours, "400") || f.exchange == "nul-where" && f.what == "body"
		}},
	{name: "system tables", in: []string{"10-errors-400"}, reason: "a table that is not served is a 400; Electric tries and fails",
		is: func(f finding) bool {
			return f.exchange == "table-pg" && f.what == "status" && strings.Contains(f.ours, "is not served")
		}},
	{name: "414", in: []string{"10-errors-400"}, reason: "there is no limit on the request line in process",
		is: func(f finding) bool { return f.what == "status" && strings.HasPrefix(f.recorded, "414") }},
	{name: "huge offset", in: []string{"10-errors-400"}, reason: "an LSN has 64 bits; Electric's numbers have no end",
		is: func(f finding) bool { return f.exchange == "offset-huge" && f.what == "body" }},
	{name: "connection", in: []string{"14-http-surface"}, reason: "of the connection, which is not this server's",
		is: func(f finding) bool { return f.what == "header connection" && f.ours == "(none)" }},
	{name: "late update", in: []string{"09-rotation-409"},
		reason: "Electric told readers of a schema change before it had logged the update that brought it; here they are one step",
		is: func(f finding) bool {
			switch f.exchange {
			case "after-add":
				return f.what == "header etag" || f.what == "header electric-offset" ||
					f.what == "body" && strings.HasPrefix(f.recorded, "2 messages") && strings.HasPrefix(f.ours, "3 messages")
			case "held-type":
				return f.what == "status" && strings.HasPrefix(f.recorded, "200") && f.ours == "409 "+mustRefetch
			}
			return false
		}},
}

func (d difference) expected(scenario string) bool {
	if d.in == nil {
		return true
	}
	for _, s := range d.in {
		if s == scenario {
			return true
		}
	}
	return false
}
