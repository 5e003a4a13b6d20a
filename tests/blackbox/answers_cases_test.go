package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

const (
	upToDateMessage = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}`
	beyond          = `{"message":"Invalid request","errors":{"offset":["out of bounds for this shape"]}}`
	tooNarrow       = `{"message":"Invalid request","errors":{"columns":["internal"]}}`
)

// answers are the ways to answer, at least one for each row of the table.
func answers() []answerCase {
	return append(append(goodAnswers(), statuses()...), badAnswers()...)
}

// good writes a 200 that is as it should be, but for the headers given. An empty
// value takes one out.
func good(w http.ResponseWriter, q question, offset, body string, header ...string) bool {
	h := []string{"Electric-Handle", q.Get("handle"), "Electric-Offset", offset}
	if !q.live() {
		h = append(h, "Electric-Schema", q.schema)
	}
	return write(w, 200, body, append(h, header...)...)
}

// goodAnswers are rows. The first question is about a place in the snapshot.
func goodAnswers() []answerCase {
	fresh := func(q question) bool { return q.offset().Tx == 0 }
	end := func(w http.ResponseWriter, q question) bool {
		return good(w, q, q.Get("offset"), "["+upToDateMessage+"]")
	}
	return []answerCase{
		{row: "200, up to date", rows: []string{"0"}, answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			return good(w, q, q.next(0), "["+q.row(0)+","+upToDateMessage+"]")
		}},
		{row: "200, not up to date", rows: []string{"0"}, answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			if !fresh(q) {
				return end(w, q)
			}
			return good(w, q, q.next(0), "["+q.row(0)+"]")
		}},
		{row: "200, live, ends beyond its last row", only: "live", rows: []string{"0", "2", "4"}, answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			switch q.Get("offset") {
			case "1_2":
				return good(w, q, "1_4", `[`+q.at("0_inf").row(4)+`,`+upToDateMessage+`]`)
			case "1_4":
				return end(w, q)
			}
			return good(w, q, q.next(4), "["+q.row(0)+","+q.row(2)+","+upToDateMessage+"]")
		}},
		{row: "204 to a held request", only: "live", rows: []string{"0"}, answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			if fresh(q) { // nothing came, until 1_0
				return write(w, 204, "", "Electric-Handle", q.Get("handle"), "Electric-Offset", "1_0", "Content-Type", "")
			}
			return good(w, q, q.next(0), "["+q.row(0)+","+upToDateMessage+"]")
		}},
	}
}

// at is the question about another place.
func (question) at(offset string) question {
	return question{Values: url.Values{"offset": {offset}}}
}

func statuses() []answerCase {
	plain := func(status int, body string, header ...string) func(http.ResponseWriter, question, *http.Request) bool {
		return func(w http.ResponseWriter, _ question, _ *http.Request) bool {
			return write(w, status, body, append([]string{"Electric-Handle", "17-23"}, header...)...)
		}
	}
	text := `{"message":"` + internals + `"}`
	health := func(status int, body string, shape func(http.ResponseWriter, question, *http.Request) bool) func(http.ResponseWriter, question, *http.Request) bool {
		return func(w http.ResponseWriter, q question, r *http.Request) bool {
			if r.URL.Path == "/v1/health" {
				return write(w, status, body)
			}
			return shape(w, q, r)
		}
	}
	const active = `{"status":"active"}`
	caughtUp := &once{}
	return []answerCase{
		{row: "204 to a read", only: "read", answer: plain(204, "", "Electric-Offset", "1_0")},
		{row: "304", answer: plain(304, "")},
		{row: "400, out of bounds, twice, active", answer: health(200, active, plain(400, beyond))},
		{row: "400, out of bounds, then not", rows: []string{"0"}, answer: health(200, active, func(w http.ResponseWriter, q question, r *http.Request) bool {
			if caughtUp.first(q) {
				return write(w, 400, beyond)
			}
			return good(w, q, q.next(0), "["+q.row(0)+","+upToDateMessage+"]")
		})},
		{row: "400, out of bounds, not active", answer: health(202, `{"status":"starting"}`, plain(400, beyond))},
		{row: "400, out of bounds, not active", answer: health(200, `ok`, plain(400, beyond))},
		{row: "400, out of bounds, at the beginning", only: "beginning", answer: health(200, active, plain(400, beyond))},
		{row: "400, of anything else", answer: plain(400, tooNarrow)},
		{row: "401", answer: plain(401, text)},
		{row: "403", answer: plain(403, text)},
		{row: "404", answer: plain(404, "Not found")},
		{row: "409 with a handle", answer: plain(409, mustRefetch)},
		{row: "409 without a handle", answer: plain(409, mustRefetch, "Electric-Handle", "")},
		{row: "409, at the beginning", only: "beginning", answer: plain(409, mustRefetch)},
		{row: "414", answer: plain(414, "")},
		{row: "429 with Retry-After", answer: plain(429, text, "Retry-After", "7")},
		{row: "500", answer: plain(500, text)},
		{row: "502", answer: plain(502, text)},
		{row: "503 with Retry-After", answer: plain(503, text, "Retry-After", "10")},
		{row: "503 without Retry-After", answer: plain(503, text)},
		{row: "any other status", answer: plain(418, text)},
		{row: "any other status", answer: plain(202, "[]")},
		{row: "any other status", answer: plain(206, "[]")},
		{row: "redirect", answer: plain(301, text, "Location", "http://db-7.internal/")},
		{row: "redirect", answer: plain(307, text, "Location", "/v1/shape")},
	}
}

func badAnswers() []answerCase {
	bad := func(body string, header ...string) func(http.ResponseWriter, question, *http.Request) bool {
		return func(w http.ResponseWriter, q question, _ *http.Request) bool {
			return good(w, q, q.next(0), strings.ReplaceAll(body, "ROW", q.row(0)), header...)
		}
	}
	wire := func(text string, reset bool) func(http.ResponseWriter, question, *http.Request) bool {
		return func(w http.ResponseWriter, q question, _ *http.Request) bool {
			upstream.Wire(w, []byte(text), reset)
			return true
		}
	}
	cut := func(length string) func(http.ResponseWriter, question, *http.Request) bool {
		return func(w http.ResponseWriter, q question, _ *http.Request) bool {
			body := "[" + q.row(0) + ","
			upstream.Wire(w, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nElectric-Schema: {}\r\nElectric-Handle: "+
				q.Get("handle")+"\r\nElectric-Offset: "+q.next(0)+"\r\n"+length+"\r\n\r\n"+body), false)
			return true
		}
	}
	whole := "[ROW," + upToDateMessage + "]"
	return []answerCase{
		{row: "200, under another handle", answer: bad(whole, "Electric-Handle", "17-23")},
		{row: "200, without or with an absurd handle", answer: bad(whole, "Electric-Handle", "")},
		{row: "200, without or with an absurd handle", answer: bad(whole, "Electric-Handle", "a b")},
		{row: "200, without or with an absurd handle", answer: bad(whole, "Electric-Handle", strings.Repeat("1", 300))},
		{row: "200, without or with an absurd handle", answer: bad(whole, "Electric-Handle", "caf\xc3\xa9")},
		{row: "200, without or with an absurd offset", answer: bad(whole, "Electric-Offset", "")},
		{row: "200, without or with an absurd offset", answer: bad(whole, "Electric-Offset", "-1")},
		{row: "200, without or with an absurd offset", answer: bad(whole, "Electric-Offset", "internal")},
		{row: "200, without or with an absurd offset", answer: bad(whole, "Electric-Offset", "99999999999999999999_0")},
		{row: "200, offset goes back", answer: bad(whole, "Electric-Offset", "0_0")},
		{row: "200, live, a row's offset goes back", only: "live", answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			at := q.offset()
			return good(w, q, q.next(0), fmt.Sprintf(`[{"key":"k","value":{"id":"k"},"headers":{"operation":"insert","lsn":"%d","op_position":%d}},%s]`, at.Tx, at.Op, upToDateMessage))
		}},
		{row: "200, live, rows and the same offset", only: "live", answer: func(w http.ResponseWriter, q question, _ *http.Request) bool {
			return good(w, q, q.Get("offset"), "["+q.row(0)+","+upToDateMessage+"]")
		}},
		{row: "200 to a read, without a schema", only: "read", answer: bad(whole, "Electric-Schema", "")},
		{row: "200 to a read, without a schema", only: "read", answer: bad(whole, "Electric-Schema", "internal")},
		{row: "200, not application/json", answer: bad(whole, "Content-Type", "text/html")},
		{row: "200, not application/json", answer: bad("data: ROW\n\n", "Content-Type", "text/event-stream")},
		{row: "200, gzip", answer: bad("\x1f\x8b\x08", "Content-Encoding", "gzip")},
		{row: "200, empty body", answer: bad("")},
		{row: "200, truncated body", answer: cut("Content-Length: 10000")},
		{row: "200, truncated body", answer: cut("Connection: close")},
		{row: "200, truncated body", answer: cut("Transfer-Encoding: chunked\r\n\r\n5")},
		{row: "200, invalid JSON", answer: bad("<html>internal</html>")},
		{row: "200, invalid JSON", answer: bad("[ROW ROW]")},
		{row: "200, invalid JSON", answer: bad(`{"message":"internal"}`)},
		{row: "200, invalid JSON", only: "live", answer: bad(`[{"key":"k","value":{"id":<html>},"headers":{"operation":"insert"}},` + upToDateMessage + "]")},
		{row: "200, must-refetch in the body", answer: bad(mustRefetch)},
		{row: "refused, reset, or silent", answer: wire("", true)},
		{row: "refused, reset, or silent", answer: wire("HTTP/1.1 200", true)},
		{row: "refused, reset, or silent", answer: wire("db-7.internal is no HTTP\r\n\r\n", false)},
		{row: "refused, reset, or silent", only: "read", answer: func(_ http.ResponseWriter, _ question, r *http.Request) bool {
			<-r.Context().Done() // until it is given up
			return true
		}},
	}
}
