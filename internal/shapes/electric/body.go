package electric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

var errIdle = errors.New("the body of an answer stalls")

// bounds are those of a body that is streamed.
type bounds struct {
	idle  time.Duration // without a byte
	stall time.Duration // waited for in all
	bytes int64
}

// boundedBody ends a call whose body brings nothing for too long, or does not end.
// Only the time that somebody waits for it counts: a slow reader is not the
// upstream's fault. A body of no bytes at all is one that was lost.
type boundedBody struct {
	body   io.ReadCloser
	left   bounds
	some   bool
	cancel context.CancelCauseFunc // of the call
	timer  *time.Timer
	why    error // that the timer ends the call with
	fired  chan struct{}
}

func newBoundedBody(body io.ReadCloser, most bounds, cancel context.CancelCauseFunc) *boundedBody {
	b := &boundedBody{body: body, left: most, cancel: cancel, why: errIdle, fired: make(chan struct{})}
	b.timer = time.AfterFunc(most.idle, func() {
		close(b.fired)
		cancel(b.why)
	})
	b.timer.Stop()
	return b
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	select {
	case <-b.fired:
		return 0, b.why
	default:
	}
	if b.left.bytes <= 0 {
		return 0, fmt.Errorf("%w: it is larger than it may be", shapes.ErrEndless)
	}
	wait := b.left.idle
	if b.left.stall < wait {
		wait = b.left.stall
		b.why = fmt.Errorf("%w: it has been waited for too long", shapes.ErrEndless)
	}
	began := time.Now()
	b.timer.Reset(wait)
	n, err := b.body.Read(p[:min(int64(len(p)), b.left.bytes)])
	inTime := b.timer.Stop()
	b.left.stall -= time.Since(began)
	b.left.bytes -= int64(n)
	b.some = b.some || n > 0
	if !inTime {
		<-b.fired
		return n, b.why
	}
	if err == io.EOF && !b.some {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close ends the call.
func (b *boundedBody) Close() error {
	err := b.body.Close()
	b.cancel(nil)
	return err
}
