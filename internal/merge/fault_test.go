package merge

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// patient is a fake that says what is wrong with it, as a Source that asks again
// by itself does.
type patient struct {
	*fake
	fault error
	once  int
}

func (p *patient) Down(*shapes.Definition) error { return p.fault }

func (p *patient) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	p.once++
	if p.fault != nil {
		return nil, p.fault
	}
	return p.Read(ctx, def, pos)
}

// askPatient is askBoth with a second side that may be failing.
func askPatient(t *testing.T, a *fake, b *patient, req Request, check func(t *testing.T, got *Answer, err error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		groups := [Sides]*flight.Group{flight.New(flight.Config{Source: a}), flight.New(flight.Config{Source: b})}
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		req.Definitions = [Sides]*shapes.Definition{def, def}
		got, err := New(Config{Upstreams: groups}).Next(t.Context(), req)
		check(t, got, err)
		if got != nil {
			got.Close()
		}
		for _, g := range groups {
			g.Close()
		}
	})
}

// A side that is failing when the hold ends may have missed news: its reader is
// told to come back, not that there was nothing. A fault that has passed by then
// was nobody's business; and news of the other side does not wait for any of it.
func TestTheHoldEndsWhileASideFails(t *testing.T) {
	down := &shapes.Unavailable{Err: errors.New("down")}
	req := Request{From: liveAt, Hold: hold}
	askPatient(t, newFake(), &patient{fake: newFake(), fault: down}, req, func(t *testing.T, got *Answer, err error) {
		if err != down || got != nil {
			t.Errorf("failing at the end: %v, %v", got, err)
		}
	})
	askPatient(t, newFake(), &patient{fake: newFake()}, req, func(t *testing.T, got *Answer, err error) {
		if err != nil || !got.UpToDate {
			t.Errorf("well at the end: %+v, %v", got, err)
		}
	})
	began := time.Now()
	news := withNews(answer{body: "[" + row(1) + "," + end + "]", next: place(50)})
	askPatient(t, news, &patient{fake: newFake(), fault: down}, req, func(t *testing.T, got *Answer, err error) {
		if err != nil || !got.UpToDate || got.Next != bothAt(opened(50, true), opened(1, true)) {
			t.Errorf("news of the other side: %+v, %v", got, err)
		}
	})
	if took := time.Since(began); took > hold {
		t.Errorf("news of the other side came after %s", took)
	}
}

// What is in hand does not wait for a read that might make it whole.
func TestTheSecondReadIsNotWaitedFor(t *testing.T) {
	a := newFake(answer{body: "[" + row(1) + "," + end + "]", next: inf()})
	b := &patient{fake: newFake(answer{body: "[" + row(2) + "]", next: place0(0)})}
	req := Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}
	b.fault = &shapes.Unavailable{Err: errors.New("down")}
	askPatient(t, a, b, req, func(t *testing.T, got *Answer, err error) {
		if err != nil || got.UpToDate || b.once != 1 || strings.Count(body(t, got), `"key"`) != 2 {
			t.Errorf("%+v, %v, %d reads without patience", got, err, b.once)
		}
	})
}

// rotating is a body whose shape is gone after some messages.
type rotating struct{ shapes.Messages }

func (r rotating) Next(enough int) (shapes.Message, error) {
	m, err := r.Messages.Next(enough)
	if err != nil {
		return m, &shapes.Rotated{Handle: "new"}
	}
	return m, nil
}

// A shape that is rotated in the middle of a body ends the body, because the next
// request is told so; one that is rotated before anything was sent is the
// request's own answer.
func TestRotatedInTheMiddle(t *testing.T) {
	page := func(side, n int) *openPage {
		return &openPage{
			side: side, messages: rotating{shapes.NewScanner(strings.NewReader("[" + rows(n) + "]"))}, closer: func() error { return nil }, cancel: func() {},
		}
	}
	const large = 512 << 10
	for _, n := range []int{3, 2 * large / len(row(0))} { // the latter is written from where it is
		a := &Answer{pages: []*openPage{page(0, n), page(1, n)}, rows: [][]byte{[]byte(row(9))}, UpToDate: true}
		got := body(t, a)
		if strings.Contains(got, "control") || !strings.HasPrefix(got, "["+row(9)) || n > 3 && len(got) < large {
			t.Errorf("wrote %d bytes: %.200s", len(got), got)
		}
	}
	var m Merger
	m.config.PageBytes = 1 << 20
	held := m.take(0, &shapes.Page{Messages: page(0, 3).messages, Close: func() error { return nil }}, nil, func() {})
	if _, ok := errors.AsType[*shapes.Rotated](held.err); !ok {
		t.Errorf("held: %v", held.err)
	}
}

// piped is a page whose body is what the test writes, until it is canceled.
func piped(side int) (*openPage, *io.PipeWriter) {
	r, w := io.Pipe()
	return &openPage{
		side: side, messages: shapes.NewScanner(r), closer: func() error { return nil }, cancel: func() { _ = r.Close() },
	}, w
}

// signals is a body that says when something was written.
type signals struct {
	strings.Builder
	wrote chan string
}

func (s *signals) Write(p []byte) (int, error) {
	s.wrote <- string(p)
	return s.Builder.Write(p)
}

// Pages are written as they come: one whose upstream is slow does not hold up the other.
func TestPagesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, body := piped(0)
		fast := &openPage{side: 1, messages: shapes.NewScanner(strings.NewReader("[" + rows(3) + "]")), closer: slow.closer, cancel: func() {}}
		w := &signals{wrote: make(chan string, 100)}
		done := make(chan error)
		go func() {
			_, err := (&Answer{pages: []*openPage{slow, fast}}).WriteTo(w)
			done <- err
		}()
		for <-w.wrote != rows(3) {
		}
		if _, err := io.WriteString(body, "["+row(9)+"]"); err != nil {
			t.Error(err)
		}
		_ = body.Close()
		if err := <-done; err != nil || w.String() != "["+rows(3)+","+row(9)+"]" {
			t.Errorf("%v, %s", err, w.String())
		}
	})
}

// What goes wrong on a page's own goroutine is its writer's caller's: net/http cuts one
// connection for it.
func TestAPanicIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, _ := piped(0)
		odd := &openPage{side: 1, messages: shapes.NewScanner(strings.NewReader("[" + rows(3) + "]")), closer: silent.closer, cancel: func() {}}
		a := &Answer{pages: []*openPage{silent, odd}}
		a.Recast(func([]byte) []byte { panic("a fault in a recast") })
		defer func() {
			if thrown, _ := recover().(string); !strings.Contains(thrown, "a fault in a recast") || !strings.Contains(thrown, "drainOne") {
				t.Errorf("threw %q", thrown)
			}
		}()
		_, _ = a.WriteTo(io.Discard)
		t.Error("nothing was thrown")
	})
}

// A page that fails, or is rotated, ends the other: nobody waits for what is of no use.
func TestAPageEndsTheOther(t *testing.T) {
	for rotated, want := range map[bool]string{true: "[" + row(0) + "]", false: "[" + row(0)} {
		synctest.Test(t, func(t *testing.T) {
			silent, _ := piped(0)
			broken := &openPage{side: 1, messages: shapes.NewScanner(strings.NewReader("[" + row(0))), closer: silent.closer, cancel: func() {}}
			if rotated {
				broken.messages = rotating{broken.messages}
			}
			// What came before it is sent only when a piece is full, or the page ends.
			var w strings.Builder
			if _, err := (&Answer{pages: []*openPage{silent, broken}, rows: [][]byte{[]byte(row(0))}}).WriteTo(&w); (err == nil) != rotated {
				t.Error(err)
			}
			if w.String() != want {
				t.Errorf("rotated %v: wrote %s", rotated, w.String())
			}
		})
	}
}

// slow is a body whose second half takes its time.
type slow struct {
	rest  []string
	pause time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[0])
	s.rest = s.rest[1:]
	time.Sleep(s.pause)
	return n, nil
}

// flushed collects what was written, and counts the flushes.
type flushed struct {
	strings.Builder
	flushes int
}

func (f *flushed) Flush() { f.flushes++ }

// A body that has to wait is kept alive by newlines, which JSON does not mind,
// and only then.
func TestAStalledBodyIsKeptAlive(t *testing.T) {
	for pause, want := range map[time.Duration]int{time.Second: 0, 4 * time.Second: 0, 17 * time.Second: 3} {
		synctest.Test(t, func(t *testing.T) {
			a := &Answer{pages: []*openPage{{
				messages: shapes.NewScanner(&slow{[]string{"[" + row(1), "," + row(2) + "]"}, pause}), closer: func() error { return nil }, cancel: func() {},
			}}}
			began := time.Now()
			var w flushed
			if _, err := a.WriteTo(&w); err != nil {
				t.Fatal(err)
			}
			text := w.String()
			if strings.ReplaceAll(text, "\n", "") != "["+row(1)+","+row(2)+"]" {
				t.Errorf("wrote %q", text)
			}
			// The two pauses are one for the reader: pieces are collected.
			if n := strings.Count(text, "\n"); n != w.flushes || n < want || n > 2*want+1 {
				t.Errorf("with a pause of %s, %d newlines and %d flushes in %s", pause, n, w.flushes, time.Since(began))
			}
		})
	}
}

// What is known to be large is not held first, to find that out.
func TestWhatIsKnownToBeLargeIsNotHeld(t *testing.T) {
	m := New(Config{PageBytes: 64 << 10})
	for least, held := range map[int]int{0: 64 << 10, 64<<10 - 1: 64 << 10, 64 << 10: 1} {
		body := "[" + rows(2000) + "]"
		got := m.take(0, &shapes.Page{Messages: shapes.NewScanner(strings.NewReader(body)), Least: least}, nil, func() {})
		if n := len(got.batch.Rows); got.page == nil || n < held || n > held+len(row(0)) {
			t.Errorf("at least %d bytes: held %d, streamed %v", least, n, got.page != nil)
		}
		m.budget.give(got.taken)
	}
}
