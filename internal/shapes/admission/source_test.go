package admission

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	def   = shapes.Define(shapes.V2Table, []string{"id"})
	start = shapes.Position{}
	again = shapes.Position{Handle: "h"} // as after a must-refetch: no handle is sent
	known = shapes.Position{Handle: "h", Offset: shapes.SnapshotEnd}
	errNo = errors.New("no")
)

// upstream counts the calls that it has, and answers when it is told to.
type upstream struct {
	answer      chan error
	mu          sync.Mutex // the counts are read when nothing moves
	known, new  int
	onces       int
	closedPages int
}

func (u *upstream) count(n *int, by int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	*n += by
}

func (u *upstream) held(ctx context.Context, pos shapes.Position) error {
	n := &u.known
	if pos != known {
		n = &u.new
	}
	u.count(n, 1)
	defer u.count(n, -1)
	select {
	case err := <-u.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *upstream) Read(ctx context.Context, _ *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if err := u.held(ctx, pos); err != nil {
		return nil, err
	}
	return &shapes.Page{Close: func() error { u.count(&u.closedPages, 1); return nil }}, nil
}

func (u *upstream) Once(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	u.count(&u.onces, 1)
	return u.Read(ctx, def, pos)
}

func (u *upstream) Wait(ctx context.Context, _ *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	return &shapes.News{}, u.held(ctx, pos)
}

func (u *upstream) Down(*shapes.Definition) error { return errNo }

// asked is a call, and what became of it.
type asked struct {
	page *shapes.Page
	err  error
	over bool
	stop context.CancelFunc
}

func ask(t *testing.T, s *Source, pos shapes.Position, kind int) *asked {
	a := &asked{}
	ctx, cancel := context.WithCancel(t.Context())
	a.stop = cancel
	go func() {
		switch kind {
		case 0:
			a.page, a.err = s.Read(ctx, def, pos)
		case 1:
			a.page, a.err = s.Once(ctx, def, pos)
		case 2:
			_, a.err = s.Wait(ctx, def, pos)
		}
		a.over = true
	}()
	synctest.Wait()
	return a
}

// Each kind of call has its own bound; one beyond it waits for its turn, and not for
// long.
func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		positions []shapes.Position
		other     shapes.Position
	}{{[]shapes.Position{start, again}, known}, {[]shapes.Position{known}, start}} {
		for kind := range 3 {
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{answer: make(chan error)}
				s := New(Config{Source: u, Known: 3, New: 3})
				var calls []*asked
				for n := range 3 {
					calls = append(calls, ask(t, s, c.positions[n%len(c.positions)], kind))
				}
				other := ask(t, s, c.other, kind)
				if u.known+u.new != 4 || kind == 1 && u.onces != 4 {
					t.Fatalf("%d and %d calls, %d of them once", u.known, u.new, u.onces)
				}
				began := time.Now()
				fourth := ask(t, s, c.positions[0], kind)
				time.Sleep(time.Second)
				fifth := ask(t, s, c.positions[0], kind)
				time.Sleep(time.Second)
				synctest.Wait()
				var unavailable *shapes.Unavailable
				if !fourth.over || !errors.As(fourth.err, &unavailable) || unavailable.RetryAfter != time.Second || time.Since(began) != 2*time.Second {
					t.Errorf("after %v: %+v", time.Since(began), fourth)
				}
				if fifth.over || u.known+u.new != 4 {
					t.Errorf("%+v; %d and %d calls", fifth, u.known, u.new)
				}
				calls[0].stop() // makes room
				synctest.Wait()
				if u.known+u.new != 4 || fifth.over {
					t.Errorf("%+v; %d and %d calls", fifth, u.known, u.new)
				}
				waits := ask(t, s, c.positions[0], kind)
				waits.stop()
				if synctest.Wait(); waits.err != context.Canceled {
					t.Errorf("a caller who left while it waited: %v", waits.err)
				}
				st := s.Stats()
				if st.Known.Used+st.New.Used != 4 || st.Known.Refused+st.New.Refused != 1 {
					t.Errorf("%+v", st)
				}
				for _, a := range append(calls, other, fifth) {
					a.stop()
				}
				if synctest.Wait(); s.Stats().Known.Used+s.Stats().New.Used != 0 {
					t.Errorf("%+v", s.Stats())
				}
			})
		}
	}
}

// An upstream that says that it admits less is asked for less from then on.
func TestWhatAnUpstreamAdmits(t *testing.T) {
	for admits, most := range map[int]int{10_000: 8000, 1000: 800, 20: 16, 1: 1, 0: 1} {
		synctest.Test(t, func(t *testing.T) {
			u, says := &upstream{answer: make(chan error)}, 10_000
			s := New(Config{Source: u, Admits: func() int { return says }})
			first := ask(t, s, known, 2)
			first.stop()
			synctest.Wait()
			says = admits
			var calls []*asked
			for range most + 2 {
				calls = append(calls, ask(t, s, known, 2))
			}
			if u.known != most {
				t.Errorf("one that admits %d was asked for %d, not for %d", admits, u.known, most)
			}
			for _, a := range calls {
				a.stop()
			}
			if synctest.Wait(); s.Stats().Known.Used != 0 {
				t.Errorf("%+v", s.Stats())
			}
		})
	}
}

// A read counts until its page is closed, however often that is.
func TestAPageCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: make(chan error)}
		s := New(Config{Source: u, New: 2})
		first := ask(t, s, start, 0)
		u.answer <- nil
		second := ask(t, s, start, 0)
		u.answer <- nil
		synctest.Wait()
		third := ask(t, s, start, 1)
		if u.new != 0 || s.Stats().New.Used != 2 || third.over {
			t.Fatalf("%d calls, %+v", u.new, s.Stats())
		}
		_, _ = first.page.Close(), first.page.Close()
		fourth := ask(t, s, start, 1)
		if u.new != 1 || s.Stats().New.Used != 2 {
			t.Errorf("%d calls, %+v", u.new, s.Stats())
		}
		u.answer <- errNo
		if synctest.Wait(); third.err != errNo || u.new != 1 {
			t.Errorf("%v, %d calls", third.err, u.new)
		}
		fourth.stop()
		_ = second.page.Close()
		if synctest.Wait(); s.Stats().New.Used != 0 || u.closedPages != 3 || s.Down(def) != errNo {
			t.Errorf("%+v, %d closed", s.Stats(), u.closedPages)
		}
	})
}

// Whatever comes and goes, the upstream never has more than it may, and never fewer while
// somebody waits.
func TestNeverMore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 99), 5, 60).Draw(rt, "steps")
		var bad string
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{answer: make(chan error)}
			s := New(Config{Source: u, Known: 3, New: 2, Patience: time.Hour})
			var out []*asked
			for _, n := range steps {
				switch {
				case n < 60:
					pos := []shapes.Position{known, start}[n%2]
					out = append(out, ask(t, s, pos, 2))
				case len(out) > 0:
					a := out[n%len(out)]
					a.stop()
				}
				synctest.Wait()
				var still []*asked
				for _, a := range out {
					if !a.over {
						still = append(still, a)
					}
				}
				out = still
				if u.known > 3 || u.new > 2 || len(out) > u.known+u.new && u.known < 3 && u.new < 2 {
					bad = "the upstream has too many calls, or too few"
				}
			}
			for _, a := range out {
				a.stop()
			}
		})
		if bad != "" {
			rt.Fatal(bad)
		}
	})
}
