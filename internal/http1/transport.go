package http1

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Transport makes calls. New gives one. Its fields are changed before the first call,
// and not after it. It is safe for concurrent use.
type Transport struct {
	// DialContext makes a connection, and heeds its context.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// MaxIdlePerHost is how many connections to one host are kept without a call, and
	// IdleTimeout for how long.
	MaxIdlePerHost int
	IdleTimeout    time.Duration
	// HeadTimeout is how long it may take to send a request and to get the head of
	// its answer.
	HeadTimeout time.Duration
	// MaxHead is how many bytes may come before a body, those of 1xx answers included.
	MaxHead int64

	idle    idle
	writers sync.Pool // of *bufio.Writer
}

var _ http.RoundTripper = (*Transport)(nil)

// New gives a Transport that dials for 5 s, keeps 256 connections to a host for 45 s
// each, and takes 64 KiB before a body, within 75 s.
func New() *Transport {
	return &Transport{
		DialContext:    (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdlePerHost: 256,
		IdleTimeout:    45 * time.Second,
		HeadTimeout:    75 * time.Second,
		MaxHead:        64 << 10,
	}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	address, err := takes(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if c := t.take(address); c != nil {
		resp, err := t.call(c, req)
		if !errors.Is(err, errUnanswered) {
			return resp, err
		}
	}
	dialed, err := t.DialContext(ctx, "tcp", address)
	switch {
	case err == nil:
		return t.call(newConn(dialed, address), req)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// takes says where a request goes, or why it goes nowhere.
func takes(req *http.Request) (address string, err error) {
	hasBody := req.Body != nil && req.Body != http.NoBody
	if hasBody {
		_ = req.Body.Close() // as http.RoundTripper has it
	}
	switch {
	case req.URL == nil || req.URL.Scheme != "http" || req.URL.Hostname() == "":
		return "", errors.New("http1: the URL of a request is not an http URL with a host")
	case req.Header == nil:
		return "", errors.New("http1: a request has no Header")
	case hasBody || req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead:
		return "", errors.New("http1: a request is not a GET or a HEAD without a body")
	}
	return net.JoinHostPort(req.URL.Hostname(), cmp.Or(req.URL.Port(), "80")), nil
}

// call makes one on a connection, which is the body's then, or closed.
func (t *Transport) call(c *conn, req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	stop := context.AfterFunc(ctx, c.hangUp)
	resp, err := t.exchange(c, req)
	if err != nil {
		stop()
		c.hangUp()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	b := &body{
		src: resp.Body, ctx: ctx, stop: stop, conn: c, transport: t,
		last: resp.Close || req.Close || resp.StatusCode < http.StatusOK,
	}
	if resp.Body == http.NoBody {
		b.end(true)
	} else {
		resp.Body = b
	}
	return resp, nil
}

// exchange sends a request and reads the head of its answer.
func (t *Transport) exchange(c *conn, req *http.Request) (*http.Response, error) {
	c.left = t.MaxHead
	_ = c.SetDeadline(time.Now().Add(t.HeadTimeout)) // of one that is closed the next line hears
	resp, err := t.ask(c, req)
	switch {
	case err == nil:
		c.left = unbounded
		_ = c.SetDeadline(time.Time{})
		return resp, nil
	case isTimeout(err):
		return nil, fmt.Errorf("http1: no response headers within %s: %w", t.HeadTimeout, err)
	case c.kept && c.left == t.MaxHead: // not a byte came
		return nil, fmt.Errorf("%w: %w", errUnanswered, err)
	case c.left <= 0: // err may be about the line that this cut
		return nil, fmt.Errorf("http1: response headers exceeded %d bytes", t.MaxHead)
	}
	return nil, fmt.Errorf("http1: transport connection broken: %w", err)
}

func (t *Transport) ask(c *conn, req *http.Request) (*http.Response, error) {
	if err := t.send(c, req); err != nil {
		return nil, err
	}
	return c.head(req)
}

// send writes a request, at once if it fits a buffer. Nobody holds that buffer while
// the answer is waited for.
func (t *Transport) send(c *conn, req *http.Request) error {
	w, pooled := t.writers.Get().(*bufio.Writer)
	if !pooled {
		w = bufio.NewWriter(nil)
	}
	defer t.writers.Put(w)
	defer w.Reset(nil)
	w.Reset(c.Conn)
	if err := req.Write(w); err != nil {
		return err
	}
	return w.Flush()
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
