package electric

import (
	"context"
	"errors"
	"io"
	"time"
)

var errIdle = errors.New("the body of an answer stalls")

// idleBody ends a call whose body brings nothing for too long. Only the time that
// somebody waits for it counts: a slow reader is not the upstream's fault.
type idleBody struct {
	body   io.ReadCloser
	idle   time.Duration
	cancel context.CancelCauseFunc // of the call
	timer  *time.Timer
	fired  chan struct{}
}

func newIdleBody(body io.ReadCloser, idle time.Duration, cancel context.CancelCauseFunc) *idleBody {
	b := &idleBody{body: body, idle: idle, cancel: cancel, fired: make(chan struct{})}
	b.timer = time.AfterFunc(idle, func() {
		close(b.fired)
		cancel(errIdle)
	})
	b.timer.Stop()
	return b
}

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	select {
	case <-b.fired:
		return 0, errIdle
	default:
	}
	b.timer.Reset(b.idle)
	n, err := b.body.Read(p)
	b.timer.Stop()
	select {
	case <-b.fired:
		return n, errIdle
	default:
		return n, err
	}
}

// Close ends the call.
func (b *idleBody) Close() error {
	err := b.body.Close()
	b.cancel(nil)
	return err
}
