package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// line is a connection on which requests follow each other.
type line struct {
	net.Conn
	in *bufio.Reader
}

func lineTo(t *testing.T, addr string) *line {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &line{conn, bufio.NewReader(conn)}
}

// answer is what comes next. straight says that its head is not net/http's, which has the
// date behind the headers that a handler sets.
func (l *line) answer(t *testing.T) (answer *http.Response, body string, straight bool) {
	t.Helper()
	const begins = "HTTP/1.1 200 OK\r\nDate: "
	head, err := l.in.Peek(len(begins))
	if err != nil {
		t.Fatal(err)
	}
	straight = string(head) == begins
	if answer, err = http.ReadResponse(l.in, nil); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(all), straight
}

// ask sends the poll of a crowd, changed by with, and tells the crowd a row when it waits.
func (l *line) ask(t *testing.T, c *crowd, row string, with func(*http.Request)) {
	t.Helper()
	r := c.request(t, c.place, io.Discard)
	if with != nil {
		with(r)
	}
	if r.ProtoMinor == 0 {
		r.Header.Set("Connection", "keep-alive")
		var headers strings.Builder
		_ = r.Header.Write(&headers)
		if _, err := io.WriteString(l, "GET "+r.RequestURI+" HTTP/1.0\r\n"+headers.String()+"\r\n"); err != nil {
			t.Fatal(err)
		}
	} else if err := r.Write(l); err != nil {
		t.Fatal(err)
	}
	c.until(1)
	c.tell(row)
}

// An answer that goes straight is what net/http would have written, is noted like any
// other, and the next ones on its connection are whole: those that go straight, and those
// of net/http, of which nothing was lost or left.
func TestAnswersGoStraight(t *testing.T) {
	c := newCrowd(t)
	noted := make(chan Answered, 1)
	c.noted = func(a Answered) { noted <- a }
	addr := serve(t, ServerConfig{Handler: c.handler})
	kept := lineTo(t, addr)
	wide := strings.Replace(crowdRow, "EXECUTING", strings.Repeat("x", 2*copiedBytes), 1)
	for _, row := range []string{crowdRow, wide, crowdRow} {
		before := c.place
		kept.ask(t, c, row, nil)
		answer, body, straight := kept.answer(t)
		c.moved(answer.Header)
		if !strings.HasPrefix(body, "["+row+",") || !straight {
			t.Fatalf("straight: %t, %.300s", straight, body)
		}
		a := <-noted
		if a.Status != http.StatusOK || a.Bytes != len(body) || a.Broken || a.Route != "/realtime/v1/runs" {
			t.Errorf("noted: %+v", a)
		}
		behind := c.place
		c.place = before // which the news is remembered for: no need to tell
		other := lineTo(t, addr)
		r := c.request(t, c.place, io.Discard)
		r.Close = true
		if err := r.Write(other); err != nil {
			t.Fatal(err)
		}
		same, sameBody, straight := other.answer(t)
		if <-noted; straight || sameBody != body || !same.Close || answer.Close {
			t.Errorf("of net/http: straight: %t, close: %t, %.300s", straight, same.Close, sameBody)
		}
		for _, h := range []http.Header{answer.Header, same.Header} {
			if date, err := http.ParseTime(h.Get("Date")); err != nil || time.Since(date) > time.Minute {
				t.Errorf("the date is %s, %v", date, err)
			}
			for _, own := range []string{"Date", "X-Request-Id", "Electric-Cursor"} { // of each request
				if h.Get(own) == "" {
					t.Errorf("no %s", own)
				}
				h.Del(own)
			}
		}
		if diff := cmp.Diff(same.Header, answer.Header); diff != "" {
			t.Errorf("headers:\n%s", diff)
		}
		c.place = behind
		if _, err := io.WriteString(kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		healthy, body, _ := kept.answer(t)
		if <-noted; healthy.StatusCode != http.StatusOK || body != `{"status":"ok"}` || kept.in.Buffered() > 0 {
			t.Fatalf("behind it: %d %s, and %d bytes", healthy.StatusCode, body, kept.in.Buffered())
		}
	}
}

// What net/http has a say in is left to it.
func TestAnswersThatDoNotGoStraight(t *testing.T) {
	draining := false
	c := newCrowd(t, func(c *Config) { c.Draining = func() bool { return draining } })
	addr := serve(t, ServerConfig{Handler: c.handler})
	for name, with := range map[string]func(*http.Request){
		"HTTP/1.0":                 func(r *http.Request) { r.ProtoMinor = 0 },
		"the last of a connection": func(r *http.Request) { r.Close = true },
		"a body":                   func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 },
		"former names":             func(r *http.Request) { r.Header.Del(electricVersion) },
		"a drain":                  func(*http.Request) { draining = true },
	} {
		l := lineTo(t, addr)
		l.ask(t, c, crowdRow, with)
		answer, body, straight := l.answer(t)
		if straight || !strings.HasPrefix(body, "["+crowdRow+",") {
			t.Errorf("%s: straight: %t, %s", name, straight, body)
		}
		if name == "a drain" && !answer.Close {
			t.Error("a connection goes on in a drain")
		}
		draining = false
		c.moved(answer.Header)
	}
}

// faulty takes nothing.
type faulty struct{}

func (faulty) Write([]byte) (int, error) { return 0, errors.New("out of order") }

// A client who is gone when its answer comes is noted as one that left, and its connection
// ends. So does one whose reads were too late.
func TestNobodyIsThereForAStraightAnswer(t *testing.T) {
	for name, late := range map[string]bool{"gone": false, "late": true} {
		c := newCrowd(t)
		var noted []Answered
		c.noted = func(a Answered) { noted = append(noted, a) }
		var to io.Writer = faulty{}
		if late {
			to = &memory{told: func() { t.Error("what was asked too late was answered") }}
		}
		r, thrown := c.request(t, c.place, to), make(chan any, 1)
		connOf(&visit{Context: r.Context(), alone: true}).late.Store(late)
		go func() {
			defer func() { thrown <- recover() }()
			c.handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		c.until(1)
		c.tell(crowdRow)
		if got := <-thrown; got != http.ErrAbortHandler {
			t.Errorf("%s: panicked with %v", name, got)
		}
		if len(noted) != 1 || noted[0].Broken {
			t.Errorf("%s: noted %+v", name, noted)
		}
	}
}

// A value that would be a header more is left to net/http, which makes a blank of what
// ends a line.
func TestNoLineIsSmuggledIn(t *testing.T) {
	for _, value := range []string{"a\r\nSet-Cookie: b", "a\nSet-Cookie: b", "a\rSet-Cookie: b"} {
		c := newCrowd(t)
		to := &memory{told: func() { t.Errorf("%q went straight", value) }}
		w := httptest.NewRecorder()
		w.Header().Set("X-Odd", value)
		r, answered := c.request(t, c.place, to), make(chan struct{})
		go func() {
			defer close(answered)
			c.handler.ServeHTTP(w, r)
		}()
		c.until(1)
		c.tell(crowdRow)
		<-answered
		if w.Body.String() != crowdBody || w.Header().Get("Electric-Handle") == "" {
			t.Errorf("%q: %s", value, w.Body)
		}
	}
}

// The date is that of its second.
func TestDates(t *testing.T) {
	var h heads
	at := time.Date(2026, 11, 27, 23, 59, 59, 999_999_999, time.FixedZone("", 3600))
	for _, now := range []time.Time{at, at.Add(1), at.Add(time.Hour), at} {
		if got, want := h.dateOf(now), now.UTC().Format(http.TimeFormat); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
