package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
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

// ask sends the poll of a crowd, changed by with, and tells the crowd a row when it waits,
// after what is to be done then.
func (l *line) ask(t *testing.T, c *crowd, row string, with func(*http.Request), waits ...func()) {
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
	for _, waits := range waits {
		waits()
	}
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
	for i, row := range []string{crowdRow, wide, crowdRow} {
		before := c.place
		with := func(r *http.Request) {
			if i > 0 {
				r.Header.Del(electricVersion) // who has to be told former names
			}
		}
		kept.ask(t, c, row, with)
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
		with(r)
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
			if former := h.Get("Electric-Next-Cursor"); (i > 0) != (former == h.Get("Electric-Cursor")) {
				t.Errorf("%d: the former name of the cursor has %q", i, former)
			}
			for _, own := range []string{"Date", "X-Request-Id", "Electric-Cursor"} { // of each request
				if h.Get(own) == "" {
					t.Errorf("no %s", own)
				}
				h.Del(own)
			}
			h.Del("Electric-Next-Cursor")
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
	var draining atomic.Bool
	c := newCrowd(t, func(c *Config) { c.Draining = draining.Load })
	addr := serve(t, ServerConfig{Handler: c.handler})
	for name, with := range map[string]func(*http.Request){
		"HTTP/1.0":                 func(r *http.Request) { r.ProtoMinor = 0 },
		"the last of a connection": func(r *http.Request) { r.Close = true },
		"a body":                   func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 },
		"a drain":                  func(*http.Request) {},
	} {
		l := lineTo(t, addr)
		l.ask(t, c, crowdRow, with, func() { draining.Store(name == "a drain") })
		answer, body, straight := l.answer(t)
		if straight || !strings.HasPrefix(body, "["+crowdRow+",") {
			t.Errorf("%s: straight: %t, %s", name, straight, body)
		}
		if name == "a drain" && !answer.Close {
			t.Error("a connection goes on in a drain")
		}
		draining.Store(false)
		c.moved(answer.Header)
	}
}

// Requests that are sent before the one before was answered are answered one after the
// other, whoever writes.
func TestAStraightAnswerAmongOthers(t *testing.T) {
	c := newCrowd(t)
	l := lineTo(t, serve(t, ServerConfig{Handler: c.handler}))
	var all bytes.Buffer
	const health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	all.WriteString(health)
	for range 2 { // the second has what the first was told, at once
		if err := c.request(t, c.place, io.Discard).Write(&all); err != nil {
			t.Fatal(err)
		}
	}
	all.WriteString(health)
	if _, err := l.Write(all.Bytes()); err != nil {
		t.Fatal(err)
	}
	c.until(1)
	c.tell(crowdRow)
	for i, want := range []string{`{"status":"ok"}`, crowdBody, crowdBody, `{"status":"ok"}`} {
		if _, body, straight := l.answer(t); body != want || straight != (want == crowdBody) {
			t.Errorf("%d: straight: %t, %s", i, straight, body)
		}
	}
}

// If net/http wrote more for a request than the one piece that goes nowhere, or ended it in
// another way, its connection would fail and not be silent.
func TestOneWriteGoesNowhere(t *testing.T) {
	var out bytes.Buffer
	c := &strictConn{TCPConn: new(net.TCPConn), out: &out}
	if n, err := c.writeStraight([]byte("head"), []byte("body")); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := c.Write([]byte("empty")); n != 5 || err != nil {
		t.Error(n, err)
	}
	if _, err := c.Write([]byte("more")); err == nil {
		t.Error("a second answer went nowhere")
	}
	_ = c.SetWriteDeadline(time.Time{})
	if _, err := c.Write([]byte(", next")); err != nil {
		t.Error(err)
	}
	if got := out.String(); got != "headbody, next" {
		t.Error(got)
	}
}

// faulty takes so many bytes.
type faulty int

func (f *faulty) Write(p []byte) (int, error) {
	n := min(int(*f), len(p))
	if *f -= faulty(n); n < len(p) {
		return n, errors.New("out of order")
	}
	return n, nil
}

// A client who is gone when its answer comes, or in the middle of it, is noted as one that
// left, with as much as it was sent, and its connection ends. So does one whose reads were
// too late.
func TestNobodyIsThereForAStraightAnswer(t *testing.T) {
	wide := strings.Replace(crowdRow, "EXECUTING", strings.Repeat("x", 2*copiedBytes), 1)
	for name, c := range map[string]struct {
		row   string
		takes faulty
		late  bool
		noted Answered
	}{
		"gone":                   {row: crowdRow, noted: Answered{Status: statusClientGone}},
		"gone in the head":       {row: crowdRow, takes: 17, noted: Answered{Status: http.StatusOK}},
		"gone in a large answer": {row: wide, takes: 2 * copiedBytes, noted: Answered{Status: http.StatusOK, Bytes: 2 * copiedBytes}},
		"late":                   {row: crowdRow, takes: 1 << 20, late: true, noted: Answered{Status: statusClientGone}},
	} {
		crowd := newCrowd(t)
		var noted []Answered
		crowd.noted = func(a Answered) { noted = append(noted, a) }
		takes := c.takes
		r, thrown := crowd.request(t, crowd.place, &takes), make(chan any, 1)
		connOf(&visit{Context: r.Context(), alone: true}).late.Store(c.late)
		go func() {
			defer func() { thrown <- recover() }()
			crowd.handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		crowd.until(1)
		crowd.tell(c.row)
		if got := <-thrown; got != http.ErrAbortHandler {
			t.Errorf("%s: panicked with %v", name, got)
		}
		if c.late && takes != c.takes {
			t.Errorf("%s: %d bytes were written", name, c.takes-takes)
		}
		if len(noted) != 1 || noted[0].Broken || noted[0].Status != c.noted.Status || noted[0].Bytes > c.noted.Bytes || c.noted.Bytes-noted[0].Bytes > copiedBytes {
			t.Errorf("%s: noted %+v", name, noted)
		}
	}
}

// taken counts slots.
type taken struct{ atomic.Int64 }

func (n *taken) Acquire(context.Context, string, int) (release func(), ok bool) {
	n.Add(1)
	return sync.OnceFunc(func() { n.Add(-1) }), true
}

// Who is told at once has given back its slot before it can ask again, over whatever
// connection.
func TestASlotIsFreeBeforeItsAnswer(t *testing.T) {
	var slots taken
	c := newCrowd(t, func(c *Config) { c.Slots = &slots })
	told := false
	to := &memory{told: func() {
		if told = true; slots.Load() != 0 {
			t.Error("its slot is taken when the client has its answer")
		}
	}}
	r, answered := c.request(t, c.place, to), make(chan struct{})
	go func() {
		defer close(answered)
		c.handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
	c.until(1)
	if slots.Load() != 1 {
		t.Error("a request that waits has no slot")
	}
	c.tell(crowdRow)
	if <-answered; !told || slots.Load() != 0 {
		t.Errorf("told: %t, %d slots are taken", told, slots.Load())
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
