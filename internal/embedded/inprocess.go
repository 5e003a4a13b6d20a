package embedded

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
)

// Transport is an http.RoundTripper that calls the server in this process. A
// response is returned when its header has been written, and its body streams;
// closing the body or ending the request's context ends the handler.
func (s *Server) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ server *Server }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if !t.server.begin() {
		return nil, errStopping
	}
	ctx, cancel := context.WithCancel(r.Context())
	pr, pw := io.Pipe()
	w := &pipeWriter{header: make(http.Header), body: pw, ready: make(chan struct{})}
	request := r.Clone(ctx)
	request.Body = http.NoBody
	request.RequestURI = r.URL.RequestURI()
	// The handler may be blocked in a write when the reader gives up.
	unblock := context.AfterFunc(ctx, func() { _ = pr.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer t.server.work.Done()
		t.server.ServeHTTP(w, request)
		w.WriteHeader(http.StatusOK)
		unblock()
		_ = pw.Close()
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		err := ctx.Err()
		cancel()
		return nil, err
	}
	return &http.Response{
		Status:     strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.sent,
		ContentLength: contentLength(w.sent),
		Body:          &pipeBody{PipeReader: pr, end: cancel},
		Request:       r,
	}, nil
}

func contentLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// pipeWriter is the http.ResponseWriter of a call in process.
type pipeWriter struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{} // closed when status and sent are set
	status int
	sent   http.Header
}

// Header implements http.ResponseWriter.
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		w.sent = w.header.Clone()
		// A key without values is how a handler keeps net/http from adding its own.
		maps.DeleteFunc(w.sent, func(_ string, v []string) bool { return len(v) == 0 })
		close(w.ready)
	})
}

// Write implements http.ResponseWriter. It waits until the reader has taken b.
func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush implements http.Flusher; nothing is kept back.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

// pipeBody ends the handler when it is closed.
type pipeBody struct {
	*io.PipeReader
	end context.CancelFunc
}

// errBodyClosed is what a handler gets that writes to a body nobody reads.
var errBodyClosed = errors.New("the response body was closed")

// Close implements io.Closer.
func (b *pipeBody) Close() error {
	b.end()
	return b.CloseWithError(errBodyClosed)
}
