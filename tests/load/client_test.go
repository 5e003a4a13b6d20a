package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A client sends back what it was given, reads bodies of both kinds to their end, and
// goes on with the next connection where one is closed.
func TestAClientFollowsTheProtocol(t *testing.T) {
	var asked []string
	large := strings.Repeat("0123456789", 20_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		h := w.Header()
		h.Set("electric-handle", "h&"+string(rune('0'+len(asked))))
		h.Set("electric-offset", "7_"+string(rune('0'+len(asked))))
		switch len(asked) {
		case 1: // in chunks
			_, _ = w.Write([]byte(large))
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("end"))
		case 2:
			h.Set("Electric-Up-To-Date", "")
			h.Set("Electric-Cursor", "12")
			h.Set("Connection", "close")
			_, _ = w.Write([]byte("short"))
		case 3:
			h.Set("Retry-After", "3")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte("too much"))
		default:
			w.WriteHeader(http.StatusOK)
		}
	}))
	defer server.Close()
	var got bytes.Buffer
	c := newReader(target{strings.TrimPrefix(server.URL, "http://"), "/v1/shape?table=t&", ""}, &got)
	defer c.close()
	if size, err := c.catchUp(t.Context()); err != nil || got.String() != large+"endshort" || int(size) != got.Len() {
		t.Fatalf("read %d bytes, %d of them arrived, %v", size, got.Len(), err)
	}
	_, err := c.ask(t.Context(), true)
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.status != 429 || refused.retryAfter != 3*time.Second || refused.body != "too much" {
		t.Errorf("refused with %v, %+v", err, refused)
	}
	if _, err := c.ask(t.Context(), true); err != nil {
		t.Error(err)
	}
	want := []string{"table=t&offset=-1", "table=t&offset=7_1&handle=h%261", "table=t&offset=7_2&handle=h%262&live=true&cursor=12", "table=t&offset=7_3&handle=h%263&live=true&cursor=12"}
	for i, query := range want {
		if i >= len(asked) || asked[i] != query {
			t.Fatalf("asked\n%v, want\n%v", asked, want)
		}
	}
}

// A body that breaks off is an error, and not the end of a feed.
func TestABodyThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("12345"))
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	at := target{strings.TrimPrefix(server.URL, "http://"), "/?", ""}
	for _, c := range []*client{newClient(at), newReader(at, new(bytes.Buffer))} {
		if _, err := c.ask(t.Context(), false); err == nil || c.conn != nil {
			t.Errorf("%v, and the connection is %v", err, c.conn)
		}
	}
}

// A commit is known by its number, among others.
func TestTells(t *testing.T) {
	body := []byte(`[{"value":{` + mark + number(7) + `"}},{"value":{` + mark + number(71) + `","x":"commit 3"}}]`)
	for n, want := range map[int]bool{7: true, 71: true, 1: false, 3: false} {
		if tells(body, n) != want {
			t.Errorf("commit %d: %v", n, !want)
		}
	}
}

// A bound that is missed is noted, but for one that depends on time where nobody asks for it.
func TestBounds(t *testing.T) {
	for _, untimed := range []bool{false, true} {
		l := &lab{plan: plan{untimed: untimed}, out: new(bytes.Buffer)}
		l.hold(
			bound{what: "a", got: 2, limit: 2}, bound{what: "b", got: 3, limit: 2}, bound{what: "c", got: 5, limit: 5, least: true},
			bound{what: "d", got: 4.25, limit: 5, least: true}, bound{what: "e", got: 1, limit: 0, timed: true},
		)
		want := "b: 3, at most 2;d: 4.25, at least 5"
		if !untimed {
			want += ";e: 1, at most 0"
		}
		if got := strings.Join(l.missed, ";"); got != want {
			t.Errorf("untimed %v: missed %q, want %q", untimed, got, want)
		}
	}
}
