package electric

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stalling gives one piece after each pause.
type stalling struct {
	pauses []time.Duration
	ctx    context.Context
}

func (s *stalling) Read(p []byte) (int, error) {
	if len(s.pauses) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pauses[0]):
		s.pauses = s.pauses[1:]
		return copy(p, "x"), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func (*stalling) Close() error { return nil }

// A body that brings nothing for too long is a fault of its upstream. One that is
// slow, or is read slowly, is not.
func TestBodiesThatStall(t *testing.T) {
	const idle = 30 * time.Second
	for name, c := range map[string]struct {
		pauses []time.Duration
		reader time.Duration // between its reads
		want   error
		got    string
	}{
		"slow":        {[]time.Duration{29 * time.Second, 29 * time.Second, 29 * time.Second}, 0, nil, "xxx"},
		"stalls":      {[]time.Duration{time.Second, 31 * time.Second, 0}, 0, errIdle, "x"},
		"slow reader": {[]time.Duration{time.Second, time.Second}, time.Minute, nil, "xx"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			b := newBoundedBody(&stalling{c.pauses, ctx}, bounds{idle, time.Hour, 1 << 20}, cancel)
			var got strings.Builder
			var err error
			for p := make([]byte, 10); err == nil; {
				var n int
				n, err = b.Read(p)
				got.Write(p[:n])
				time.Sleep(c.reader)
			}
			if err == io.EOF {
				err = nil
			}
			if !errors.Is(err, c.want) || got.String() != c.got {
				t.Errorf("%s: %q, %v", name, got.String(), err)
			}
			if c.want != nil && context.Cause(ctx) != errIdle {
				t.Errorf("%s: the call goes on", name)
			}
			if _, again := b.Read(make([]byte, 1)); c.want != nil && again != errIdle {
				t.Errorf("%s: then %v", name, again)
			}
			_ = b.Close()
		})
	}
}
