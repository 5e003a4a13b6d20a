package electric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cret&value"

var (
	def   = shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("runtimeEnvironmentId", "the-environment"))
	place = shapes.Position{Handle: "123-456", Offset: shapes.LogOffset(7, 2)}
)

// upstream is a server that answers as told: what it stands for are answers
// that a sound Electric does not give on demand.
func upstream(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	transport := NewTransport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client, err := New(Config{Origin: server.URL, Secret: secret, Transport: transport, Recheck: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func header(w http.ResponseWriter, handle, offset string) {
	w.Header().Set("content-type", "application/json; charset=utf-8")
	w.Header().Set("electric-schema", `{"id":{"type":"text"}}`)
	w.Header().Set("electric-handle", handle)
	w.Header().Set("electric-offset", offset)
}

func TestTheRequest(t *testing.T) {
	var got []*http.Request
	client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r)
		header(w, "123-456", "7_2")
		io.WriteString(w, "[]")
	})
	if page, err := client.Read(t.Context(), def, shapes.Position{Handle: "123-456"}); err != nil {
		t.Fatal(err)
	} else {
		page.Close()
	}
	if _, err := client.Wait(t.Context(), def, place); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"offset=-1", "offset=7_2&handle=123-456&live=true"} {
		want := "/v1/shape?" + def.Query() + "&" + want + "&secret=s3cret%26value"
		if got[i].Method != http.MethodGet || got[i].RequestURI != want {
			t.Errorf("asked %s %s\nwant %s", got[i].Method, got[i].RequestURI, want)
		}
	}
}

func TestWaitGivesNews(t *testing.T) {
	client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		header(w, "123-456", "9_0")
		io.WriteString(w, `[{"value":{"a":"b"},"headers":{"last":true,"operation":"update","lsn":"9","op_position":0}},`+
			`{"headers":{"control":"up-to-date","global_last_seen_lsn":"10"}}]`)
	})
	news, err := client.Wait(t.Context(), def, place)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(news.Rows), `{"value":{"a":"b"},"headers":{"operation":"update","lsn":"9","op_position":0}}`; got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
	if news.Next != (shapes.Position{Handle: "123-456", Offset: shapes.LogOffset(9, 0)}) || !news.UpToDate || news.LSN != 10 {
		t.Errorf("got %+v", news)
	}
}

func TestWhatAnswersMean(t *testing.T) {
	rotated := func(handle string) func(error) bool {
		return func(err error) bool {
			var e *shapes.Rotated
			return errors.As(err, &e) && e.Handle == handle
		}
	}
	unavailable := func(after time.Duration) func(error) bool {
		return func(err error) bool {
			var e *shapes.Unavailable
			return errors.As(err, &e) && e.RetryAfter == after
		}
	}
	refused := func(status int) func(error) bool {
		return func(err error) bool {
			var e *shapes.Refused
			return errors.As(err, &e) && e.Status == status
		}
	}
	status := func(code int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	rows := func(handle, offset, body string) http.HandlerFunc {
		return status(200, body, "content-type", "application/json", "electric-handle", handle, "electric-offset", offset)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   func(error) bool
	}{
		"409 with a handle":    {status(409, "[]", "electric-handle", "9-9"), rotated("9-9")},
		"409 without":          {status(409, "[]"), rotated("")},
		"409, absurd handle":   {status(409, "[]", "electric-handle", strings.Repeat("x", 1000)), rotated("")},
		"400":                  {status(400, `{"message":"Invalid request","errors":{"where":["no"]}}`), refused(400)},
		"404":                  {status(404, "Not found"), refused(404)},
		"414":                  {status(414, ""), refused(414)},
		"401":                  {status(401, `{"message":"Unauthorized"}`), unavailable(0)},
		"429":                  {status(429, "", "retry-after", "3"), unavailable(3 * time.Second)},
		"500":                  {status(500, "host db.internal"), unavailable(0)},
		"503":                  {status(503, "", "retry-after", "10"), unavailable(10 * time.Second)},
		"503, odd retry-after": {status(503, "", "retry-after", "-1"), unavailable(0)},
		"503 until":            {status(503, "", "retry-after", "Fri, 21 Aug 2026 10:00:07 GMT", "date", "Fri, 21 Aug 2026 10:00:00 GMT"), unavailable(7 * time.Second)},
		"503 until before":     {status(503, "", "retry-after", "Fri, 21 Aug 2026 09:00:00 GMT", "date", "Fri, 21 Aug 2026 10:00:00 GMT"), unavailable(0)},
		"redirect":             {status(302, "", "location", "http://127.0.0.1:1/"), unavailable(0)},
		"304":                  {status(304, ""), unavailable(0)},
		"no handle":            {rows("", "9_0", "[]"), unavailable(0)},
		"a huge handle":        {rows(strings.Repeat("1", 300), "9_0", "[]"), unavailable(0)},
		"a handle not ASCII":   {rows("12\xc3\xa9", "9_0", "[]"), unavailable(0)},
		"another handle":       {rows("9-9", "9_0", "[]"), rotated("9-9")},
		"no offset":            {rows("123-456", "", "[]"), unavailable(0)},
		"offset -1":            {rows("123-456", "-1", "[]"), unavailable(0)},
		"an offset going back": {rows("123-456", "7_0", "[]"), unavailable(0)},
		"rows and no way on":   {rows("123-456", "7_2", `[{"key":"1","value":{},"headers":{"operation":"insert"}}]`), unavailable(0)},
		"not JSON":             {rows("123-456", "9_0", "Not found"), unavailable(0)},
		"cut":                  {rows("123-456", "9_0", `[{"headers":{"operation"`), unavailable(0)},
		"Content-Length lies": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			rows("123-456", "9_0", "[]")(w, r)
		}, unavailable(0)},
		"larger than 16 MiB": {rows("123-456", "9_0", `[{"a":"`+strings.Repeat("x", maxLive)+`","headers":{"operation":"insert"}}]`), unavailable(0)},
		"reset": {func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		}, unavailable(0)},
		"echo": {func(w http.ResponseWriter, r *http.Request) { // of what is no HTTP server
			conn, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(conn, "GET "+r.RequestURI+" HTTP/1.1\r\n\r\n")
			conn.Close()
		}, unavailable(0)},
		"echo as an offset": {func(w http.ResponseWriter, r *http.Request) {
			rows("123-456", r.RequestURI, "[]")(w, r)
		}, unavailable(0)},
		"echo as a refusal": {func(w http.ResponseWriter, r *http.Request) {
			status(400, "no "+r.RequestURI)(w, r)
		}, refused(400)},
	} {
		t.Run(name, func(t *testing.T) {
			news, err := upstream(t, c.answer).Wait(t.Context(), def, place)
			if err == nil || !c.want(err) {
				t.Fatalf("got %+v, %v (%T)", news, err, err)
			}
			for _, kept := range []string{"s3cret", "the-environment"} {
				if strings.Contains(err.Error(), kept) {
					t.Errorf("the error gives away %q: %v", kept, err)
				}
			}
		})
	}
}

// An Electric that is behind after a restart must not make its readers start
// over; one that has lost the log must.
func TestOutOfBounds(t *testing.T) {
	outOfBounds := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"message":"Invalid request","errors":{"offset":["out of bounds for this shape"]}}`)
	}
	const active = `{"status":"active"}`
	for name, c := range map[string]struct {
		health int
		says   string
		second func(w http.ResponseWriter)
		want   any
	}{
		"twice, healthy":           {200, active, outOfBounds, new(*shapes.Rotated)},
		"starting":                 {202, `{"status":"starting"}`, outOfBounds, new(*shapes.Unavailable)},
		"health broken":            {500, active, outOfBounds, new(*shapes.Unavailable)},
		"health of something else": {200, "OK", outOfBounds, new(*shapes.Unavailable)},
		"caught up": {200, active, func(w http.ResponseWriter) {
			header(w, "123-456", "7_2")
			io.WriteString(w, "[]")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/v1/health":
					w.WriteHeader(c.health)
					io.WriteString(w, c.says)
				case asked.Add(1) == 1:
					outOfBounds(w)
				default:
					c.second(w)
				}
			})
			_, err := client.Wait(t.Context(), def, place)
			if c.want == nil && err != nil || c.want != nil && !errors.As(err, c.want) {
				t.Errorf("got %v, want %T", err, c.want)
			}
		})
	}
}

func TestTheCallersContextEndsACall(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	client := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
	})
	defer close(leave)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := fmt.Errorf("enough")
	go func() {
		<-entered
		cancel(why)
	}()
	if _, err := client.Wait(ctx, def, place); err != why {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestOriginsThatCannotBe(t *testing.T) {
	for _, origin := range []string{"", "electric:3000", "ftp://electric", "http://", "http://u:pw@electric", "http://electric?secret=x", "http://electric/%zz"} {
		if _, err := New(Config{Origin: origin}); err == nil {
			t.Errorf("%q was taken", origin)
		} else if strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "secret=x") {
			t.Errorf("the error repeats the origin: %v", err)
		}
	}
	client, err := New(Config{Origin: "http://electric:3000/base/"})
	if err != nil || client.shape.Path != "/base/v1/shape" {
		t.Errorf("got %v, %v", client, err)
	}
}
