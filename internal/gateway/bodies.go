package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// bodyTime is how long a client may take to send the body of a request that is
// read. Bodies have a few megabytes at most.
const bodyTime = 30 * time.Second

// readsBodies stands before routes that read the bodies of requests. Elsewhere a
// body ends its connection (lastIfItHasABody). Here it has time to come, and once
// it was read to its end, the connection is as good as any other. A body that is
// not read to its end, because it is too large or does not come, still ends it.
func (g *gateway) readsBodies(next http.Handler) http.Handler {
	return withTime(next, bodyTime, func(w http.ResponseWriter) {
		w.Header().Del("Connection")
		g.endConnection(w)
	})
}

// PassesBodies stands before routes that hand a body on, as slowly as it comes.
// Their handler's head is written by one goroutine and the body read by another,
// so such a connection ends. It may stand behind routes that read theirs: what is
// passed on then has the time that it has here.
func PassesBodies(next http.Handler) http.Handler {
	const longest = 10 * time.Minute
	return withTime(next, longest, func(http.ResponseWriter) {})
}

// withTime gives the body of a request so long to come, and calls whole when it
// was read to its end.
func withTime(next http.Handler, within time.Duration, whole func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			body := r.Body
			if before, ok := body.(*wantedBody); ok {
				body = before.ReadCloser // this is nearer to who reads it
			}
			connection := http.NewResponseController(w)
			_ = connection.SetReadDeadline(time.Now().Add(within))
			r.Body = &wantedBody{ReadCloser: body, late: func() {
				// Or nothing could be answered: see strictConn.
				_ = connection.SetReadDeadline(time.Now().Add(afterLate))
			}, whole: func() { whole(w) }} // net/http lifts the deadline itself then
		}
		next.ServeHTTP(w, r)
	})
}

// afterLate is how long the connection of a late body stays, for its answer.
const afterLate = 5 * time.Second

// wantedBody notices the end of a body, and when it does not come.
type wantedBody struct {
	io.ReadCloser
	whole, late func()
}

func (b *wantedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == io.EOF && b.whole != nil:
		b.whole()
		b.whole = nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.late()
	}
	return n, err
}
