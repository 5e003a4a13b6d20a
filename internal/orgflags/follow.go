package orgflags

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/realtime-gw/realtime-gw/internal/pace"
)

// work listens until Close, on a new connection whenever one is lost, and reads
// everything every Period.
func (f *Flags) work(ctx context.Context) {
	defer close(f.done)
	for {
		err := f.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if !f.failing {
			f.failing = true
			f.config.Log.Warn().Err(err).Msg("the organizations' flags cannot be followed: new runs go where they went")
		}
		// Whoever cannot listen may still be able to read.
		_ = f.readAll(ctx, f.config.Pool)
		if pace.Pause(ctx, min(f.config.Period, time.Second)) != nil {
			return
		}
	}
}

// listen follows on one connection. It returns when that is lost.
func (f *Flags) listen(ctx context.Context) error {
	pooled, err := f.config.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("orgflags: connect: %w", err)
	}
	conn := pooled.Hijack() // what listens is not given back to others
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("orgflags: listen: %w", err)
	}
	for { // first of all, what was told before anybody listened
		if err := f.readAll(ctx, conn); err != nil {
			return err
		}
		if f.failing {
			f.failing = false
			f.config.Log.Info().Msg("the organizations' flags are followed again")
		}
		for next := time.Now().Add(f.config.Period); ; {
			note, err := waitUntil(ctx, next, conn.WaitForNotification)
			if errors.Is(err, errDue) {
				break
			}
			if err != nil {
				return fmt.Errorf("orgflags: wait for a notification: %w", err)
			}
			if err := f.readOne(ctx, conn, note.Payload); err != nil {
				return err
			}
		}
	}
}

var errDue = errors.New("it is time to read all flags")

// waitUntil waits for a notification until a time, and then fails with errDue. The
// connection stays good.
func waitUntil(ctx context.Context, at time.Time, wait func(context.Context) (*pgconn.Notification, error)) (*pgconn.Notification, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, at, errDue)
	defer cancel()
	note, err := wait(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errDue) {
		err = errDue
	}
	return note, err
}
