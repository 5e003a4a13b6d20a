package oracle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// outages stand between gateway and shape server, and let the latter fail for a
// moment now and then, in all the ways that pass. Readers must not notice.
type outages struct {
	next  http.RoundTripper
	board *board

	mu    sync.Mutex
	rand  *rand.Rand
	until time.Time // of the one that goes on
	mode  mode
	held  map[*context.CancelCauseFunc]struct{} // calls that an outage would break off
}

// mode is how calls fail.
type mode uint8

const (
	refuse  mode = iota // no answer, and those that are held break off
	status              // 429, 500, 502 or 503
	cutBody             // answers begin, and break off somewhere
	modes
)

// longest is that of an outage. A hold outlasts several.
const longest = 1200 * time.Millisecond

var errReset = errors.New("connection reset by the oracle")

func newOutages(seed uint64, next http.RoundTripper, b *board) *outages {
	return &outages{next: next, board: b, rand: random(seed, 9), held: make(map[*context.CancelCauseFunc]struct{})}
}

// draw says whether a call that begins now fails, and how; for a body, at which
// part of it.
func (o *outages) draw(now time.Time) (m mode, at float64, fails bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.After(o.until) {
		if !chance(o.rand, 4) {
			return 0, 0, false
		}
		o.mode = mode(o.rand.IntN(int(modes)))
		o.until = now.Add(time.Duration(o.rand.Int64N(int64(longest))))
		o.board.count("outages", 1)
		if o.mode == refuse {
			for cancel := range o.held {
				(*cancel)(errReset)
			}
		}
	}
	return o.mode, o.rand.Float64(), true
}

// RoundTrip implements http.RoundTripper.
func (o *outages) RoundTrip(r *http.Request) (*http.Response, error) {
	m, at, fails := o.draw(time.Now())
	switch {
	case fails && m == refuse:
		return nil, errReset
	case fails && m == status:
		return o.refusal(r), nil
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	o.mu.Lock()
	o.held[&cancel] = struct{}{}
	o.mu.Unlock()
	response, err := o.next.RoundTrip(r.WithContext(ctx))
	o.mu.Lock()
	delete(o.held, &cancel)
	o.mu.Unlock()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	body := response.Body
	response.Body = &cutShort{body, cancel, -1}
	if fails && m == cutBody {
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		response.Body = &cutShort{io.NopCloser(bytes.NewReader(text)), cancel, int(at * float64(len(text)))}
	}
	return response, nil
}

func (o *outages) refusal(r *http.Request) *http.Response {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := http.Header{}
	if chance(o.rand, 20) {
		h.Set("retry-after", "1")
	}
	return &http.Response{
		StatusCode: oneOf(o.rand, 429, 500, 502, 503), Header: h, Request: r, Body: io.NopCloser(strings.NewReader(`{"message":"an outage"}`)),
	}
}

// cutShort is a body that breaks off after some bytes, or, with less than none,
// does not.
type cutShort struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
	left   int
}

func (c *cutShort) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errReset
	}
	if c.left > 0 {
		p = p[:min(len(p), c.left)]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left > 0 {
		if c.left -= n; err == io.EOF {
			err = errReset
		}
	}
	return n, err
}

func (c *cutShort) Close() error {
	c.cancel(nil)
	return c.ReadCloser.Close()
}
