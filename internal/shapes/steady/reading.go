package steady

import (
	"context"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// flows is how long a body must arrive before its call counts as a success.
const flows = time.Second

// reading is a read whose head is there. What it says of the upstream is known
// when its body has ended, broken off, or come for a while: an upstream that begins
// answers and cuts them is as bad as one that begins none.
type reading struct {
	page   *shapes.Page
	settle func(err error) // once; nil: a success
	timer  *time.Timer
	cancel context.CancelCauseFunc
	closed bool
}

// call reads once.
func (s *Source) call(ctx context.Context, p *pass, def *shapes.Definition, pos shapes.Position) (*reading, error) {
	limited, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(s.config.ReadTimeout, func() { cancel(errSilent) })
	if pos.Offset.Kind == shapes.BeforeAll {
		late.Stop()
	}
	page, err := s.config.Source.Read(limited, def, pos)
	late.Stop()
	if err = inTime(limited, def, err); err != nil {
		s.took(ctx, p, err)
		cancel(nil)
		return nil, err
	}
	r := &reading{page: page, cancel: cancel}
	var once sync.Once
	r.settle = func(err error) { once.Do(func() { s.took(ctx, p, err) }) }
	r.timer = time.AfterFunc(flows, func() { r.settle(nil) })
	return r, nil
}

// close ends the call, because of what it broke off with, or nil.
func (r *reading) close(err error) error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.timer.Stop()
	r.settle(err)
	defer r.cancel(nil)
	return r.page.Close()
}
