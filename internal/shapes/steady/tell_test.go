package steady

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// The log hears at once of a shape that fails, once; and of what waiting does not
// help as an error, once a minute, however many shapes fail with it.
func TestWhatTheLogIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		fault         shapes.Unavailable
		shapes        int
		warned, alarm int
	}{
		"one shape":    {shapes.Unavailable{Err: errors.New("down")}, 1, 1, 0},
		"our secret":   {shapes.Unavailable{Err: errors.New("401"), Misconfigured: true}, 1, 0, 2},
		"all of them":  {shapes.Unavailable{Err: errors.New("down")}, 20, 1, 0},
		"all with 401": {shapes.Unavailable{Err: errors.New("401"), Misconfigured: true}, 20, 0, 2},
	} {
		inBubble(t, func(t *testing.T, u *upstream, s *Source, log *bytes.Buffer) {
			u.set(func(string) error { return &c.fault })
			for i := range c.shapes {
				go func() { _, _ = s.Read(t.Context(), define(fmt.Sprint(i)), here) }()
			}
			time.Sleep(61*time.Second + 4*shapePause)
			synctest.Wait()
			s.mu.Lock()
			text := log.String()
			s.mu.Unlock()
			warned, alarm := strings.Count(text, `"level":"warn"`), strings.Count(text, "somebody mends")
			if warned != c.warned || alarm != c.alarm {
				t.Errorf("%s: %d warnings and %d alarms\n%s", name, warned, alarm, text)
			}
		})
	}
}

// A body that does not end is not asked for again: it would not end then either.
func TestABodyThatDoesNotEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{answers: []answer{{handle: "h", rows: 3, arrive: 1}, {handle: "h", rows: 3, arrive: 1}}}
		page, err := New(Config{Source: endless{r}, Random: longest, Log: zerolog.Nop()}).Read(t.Context(), define("a"), here)
		if err != nil {
			t.Fatal(err)
		}
		defer page.Close()
		got := 0
		for err == nil {
			if _, err = page.Messages.Next(1); err == nil {
				got++
			}
		}
		if !errors.Is(err, shapes.ErrEndless) || got != 3 || len(r.answers) != 1 {
			t.Errorf("%d rows, %v, %d answers left", got, err, len(r.answers))
		}
	})
}

// endless are replies of which none ends.
type endless struct{ *replies }

func (e endless) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	page, err := e.replies.Read(ctx, def, pos)
	if err == nil {
		page.Messages = withoutEnd{page.Messages}
	}
	return page, err
}

type withoutEnd struct{ shapes.Messages }

func (w withoutEnd) Next(enough int) (shapes.Message, error) {
	m, err := w.Messages.Next(enough)
	if err == io.EOF {
		err = fmt.Errorf("%w, really", shapes.ErrEndless)
	}
	return m, err
}

// A held call that fails though reads do not, because of what is in the answer, is
// made again as seldom as any other that fails, and the log hears of it once.
func TestAHeldCallThatFailsBehindGoodReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{news: make(chan *shapes.News, 10)}
		var log bytes.Buffer
		s := New(Config{Source: deaf{u}, Log: zerolog.New(&log).Level(zerolog.InfoLevel), Random: longest})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Wait(ctx, define("a"), here); err == nil {
			t.Error("no error")
		}
		// 0.25 s, 0.5 s, 1 s, 2 s, and 4 s from then on, with a read before each.
		if n := u.count(); n < 20 || n > 40 {
			t.Errorf("%d calls in a minute", n)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines: %s", n, log.String())
		}
	})
}

// deaf is an upstream whose held calls bring nothing but faults.
type deaf struct{ *upstream }

func (d deaf) Wait(ctx context.Context, def *shapes.Definition, _ shapes.Position) (*shapes.News, error) {
	if err := d.enter(ctx, "wait", def); err != nil {
		return nil, err
	}
	return nil, &shapes.Unavailable{Err: errors.New("too large")}
}
