package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// A request that waits does so on the stack of its connection, a few frames above
// net/http, and on no other: routing, authentication and the feed have left it. That is
// most of what ten thousand of them take.
func TestAWaitingRequestIsShallow(t *testing.T) {
	c := newCrowd(t)
	addr := serve(t, ServerConfig{Handler: c.handler})
	const many = 3
	var conns [many]net.Conn
	for i := range conns {
		var err error
		if conns[i], err = (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		if err := c.request(t, c.place, io.Discard).Write(conns[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.until(many)
	waiting := 0
	for waiting < many { // one may be on its way from where it began to where it waits
		waiting = 0
		for _, stack := range stacks() {
			if !strings.Contains(stack, "(*entrance).ServeHTTP") {
				continue
			}
			if !strings.Contains(stack, "(*Held).Wait") {
				waiting = 0
				break
			}
			waiting++
			if frames := strings.Count(stack, "\n\t") - 1; frames > 5 || strings.Contains(stack, "chi") { // the last is who made the goroutine
				t.Fatalf("a request waits on %d frames:\n%s", frames, stack)
			}
		}
		runtime.Gosched()
	}
	c.tell(crowdRow)
	for _, conn := range conns {
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK || res.ContentLength != int64(len(crowdBody)) {
			t.Fatalf("answered %+v, %v", res, err)
		}
		_ = res.Body.Close()
	}
}

// stacks are those of all goroutines.
func stacks() []string {
	b := make([]byte, 1<<20)
	return strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")
}

// What serves a request on a stack of its own panics on the connection's: the very value
// that ends a connection, and of any other where it came from.
func TestPanicsAreHeardAside(t *testing.T) {
	for name, thrown := range map[string]any{"aborted": http.ErrAbortHandler, "broken": "out of order"} {
		e := &entrance{observer: nobody{}, next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(thrown) })}
		func() {
			defer func() {
				got := recover()
				if name == "aborted" && got != thrown {
					t.Errorf("aborted with %v", got)
				}
				if text := fmt.Sprint(got); name == "broken" && (!strings.HasPrefix(text, "out of order\n") || !strings.Contains(text, "TestPanicsAreHeardAside")) {
					t.Errorf("panicked with %.300s", text)
				}
			}()
			e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?live=true", http.NoBody))
			t.Error("it did not panic")
		}()
	}
}
