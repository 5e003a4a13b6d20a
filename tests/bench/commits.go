package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// subscriber is somebody who follows the feed: one reader through the gateway,
// or one for each shape.
type subscriber []*reader

// heard is when a commit's row was at a subscriber: the first byte of the answer
// that held it, and its last.
type heard struct{ first, whole time.Time }

// sample is one commit: when it was sent, when Postgres had confirmed it, and
// when each subscriber had it.
type sample struct {
	sent, done time.Time
	heard      []heard
}

// commits makes commits that change one run each, in the two tables in turn.
type commits struct {
	pool *pgxpool.Pool
	runs [2][]string // ids in each table
	made int         // so far: the number of the next
	rand *rand.Rand
}

// warmUp commits begin every block and are not measured: they show that the
// subscribers are waiting. Even, as every block is: both tables get as many.
const warmUp = 6

// block makes n commits, 5 to 30 ms apart, while the subscribers follow, and
// returns when they have heard of all.
func (c *commits) block(ctx context.Context, n int, subscribers ...subscriber) ([]sample, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n += warmUp
	samples := make([]sample, n)
	for i := range samples {
		samples[i].heard = make([]heard, len(subscribers))
	}
	catchUp, ctx1 := errgroup.WithContext(ctx)
	for _, r := range slices.Concat(subscribers...) {
		catchUp.Go(func() error {
			_, err := r.catchUp(ctx1, io.Discard)
			return err
		})
	}
	if err := catchUp.Wait(); err != nil {
		return nil, err
	}
	from := c.made
	listen, ctx2 := errgroup.WithContext(ctx)
	for who, readers := range subscribers {
		for _, r := range readers {
			listen.Go(func() error { return follow(ctx2, r, samples, from, who, n/len(readers)) })
		}
	}
	listen.Go(func() error { return c.write(ctx2, samples) })
	err := listen.Wait()
	return samples[warmUp:], err
}

// follow waits until a reader has heard of so many commits.
func follow(ctx context.Context, r *reader, samples []sample, from, who, want int) error {
	var body bytes.Buffer
	for want > 0 {
		body.Reset()
		a, err := r.ask(ctx, true, &body)
		if err != nil {
			return err
		}
		marks(body.Bytes(), func(number int) {
			if number < from || number >= from+len(samples) {
				return // a row may come twice, and so one of an earlier block
			}
			// Readers of different shapes hear of different commits.
			if h := &samples[number-from].heard[who]; h.whole.IsZero() {
				*h = heard{a.first, a.whole}
				want--
			}
		})
	}
	return nil
}

const mark = "commit "

// marks finds the numbers of the commits in a body.
func marks(body []byte, found func(int)) {
	prefix := []byte(`"metadata":"` + mark)
	for {
		_, rest, ok := bytes.Cut(body, prefix)
		if !ok {
			return
		}
		digits, _, _ := bytes.Cut(rest, []byte(`"`))
		if n, err := strconv.Atoi(string(digits)); err == nil {
			found(n)
		}
		body = rest
	}
}

func (c *commits) write(ctx context.Context, samples []sample) error {
	conn, err := c.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	for i := range samples {
		pause := 5*time.Millisecond + time.Duration(c.rand.Int64N(int64(25*time.Millisecond)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		side := c.made % 2
		id := c.runs[side][c.made/2%len(c.runs[side])]
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE public."+runTables[side].SQL()+` SET metadata = $2, "updatedAt" = now() WHERE id = $1`,
			id, fmt.Sprint(mark, c.made))
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the first error is the one to tell
			return err
		}
		c.made++
		samples[i].sent = time.Now()
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		samples[i].done = time.Now()
	}
	return nil
}
