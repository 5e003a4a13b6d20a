package memo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/memo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errAbsent = errors.New("there is no such thing")
	errBroken = errors.New("the database is gone")
)

const (
	valueTime   = 30 * time.Second
	absenceTime = time.Second
	loadTime    = 5 * time.Second
)

func configOf(entries int) memo.Config {
	return memo.Config{
		Entries: entries, Value: valueTime, Absence: absenceTime,
		IsAbsence: func(err error) bool { return errors.Is(err, errAbsent) },
	}
}

func newMemo(entries int) *memo.Memo[string, int] { return memo.New[string, int](configOf(entries)) }

// source counts how often it is asked, and answers with value and err.
type source struct {
	asked atomic.Int64
	value int
	err   error
}

func (s *source) ask(context.Context, string) (int, error) {
	s.asked.Add(1)
	return s.value, s.err
}

func TestAnswersAreRememberedForTheirTime(t *testing.T) {
	for name, c := range map[string]struct {
		source *source
		holds  time.Duration
	}{
		"value":           {&source{value: 7}, valueTime},
		"absence":         {&source{err: errAbsent}, absenceTime},
		"wrapped absence": {&source{err: fmt.Errorf("find a run: %w", errAbsent)}, absenceTime},
		"failure":         {&source{err: errBroken}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemo(1)
				get := func(wantAsked int64) {
					t.Helper()
					value, err := m.Get(t.Context(), "k", c.source.ask)
					if value != c.source.value || err != c.source.err {
						t.Fatalf("got %d, %v", value, err)
					}
					if got := c.source.asked.Load(); got != wantAsked {
						t.Fatalf("asked %d times, want %d", got, wantAsked)
					}
				}
				get(1)
				if c.holds > 0 {
					for range 10 { // use does not make it last longer
						time.Sleep(c.holds/10 - time.Nanosecond)
						get(1)
					}
					time.Sleep(10 * time.Nanosecond) // c.holds in all
				}
				get(2)
			})
		})
	}
}

// What changed while a question was under way may not be in its answer.
func TestTimeCountsFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemo(1)
		var asked int
		slow := func(context.Context, string) (int, error) {
			asked++
			time.Sleep(4 * time.Second)
			return asked, nil
		}
		for _, c := range []struct {
			wait time.Duration
			want int
		}{{0, 1}, {valueTime - 4*time.Second - 1, 1}, {1, 2}} {
			time.Sleep(c.wait)
			if got, err := m.Get(t.Context(), "k", slow); got != c.want || err != nil {
				t.Fatalf("after another %v: answer %d, %v; want the %d.", c.wait, got, err, c.want)
			}
		}
	})
}

func TestManyShareOneQuestion(t *testing.T) {
	for name, want := range map[string]error{"value": nil, "absence": errAbsent, "failure": errBroken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemo(1)
				answer := make(chan struct{})
				var asked atomic.Int64
				ask := func(context.Context, string) (int, error) {
					asked.Add(1)
					<-answer
					return 7, want
				}
				var wg sync.WaitGroup
				var got atomic.Int64
				for range 100 {
					wg.Go(func() {
						if _, err := m.Get(t.Context(), "k", ask); err == want {
							got.Add(1)
						}
					})
				}
				synctest.Wait()
				close(answer)
				wg.Wait()
				if asked.Load() != 1 || got.Load() != 100 {
					t.Errorf("asked %d times, and %d of 100 got the answer", asked.Load(), got.Load())
				}
			})
		})
	}
}

type ctxKey struct{}

// The first asker leaves: the second gets the answer, and so does who comes later.
func TestWhoLeavesTakesNothingAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemo(1)
		answer := make(chan struct{})
		var asked int
		ask := func(ctx context.Context, _ string) (int, error) {
			asked++
			if ctx.Value(ctxKey{}) != "first" {
				t.Error("the question lost the values of the context it was asked with")
			}
			select {
			case <-answer:
				return 7, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		var wg sync.WaitGroup
		ctx, leave := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "first"))
		wg.Go(func() {
			if _, err := m.Get(ctx, "k", ask); !errors.Is(err, context.Canceled) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if got, err := m.Get(t.Context(), "k", ask); got != 7 || err != nil {
				t.Errorf("who stayed got %d, %v", got, err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(answer)
		wg.Wait()
		if got, err := m.Get(t.Context(), "k", ask); got != 7 || err != nil || asked != 1 {
			t.Errorf("later: %d, %v, asked %d times", got, err, asked)
		}
	})
}

func TestQuestionsAreBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemo(1)
		start := time.Now()
		hang := func(ctx context.Context, _ string) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		_, err := m.Get(t.Context(), "k", hang)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != loadTime {
			t.Errorf("%v after %v, want a deadline after %v", err, time.Since(start), loadTime)
		}
		// And the next one asks anew.
		if got, err := m.Get(t.Context(), "k", (&source{value: 7}).ask); got != 7 || err != nil {
			t.Errorf("after a question that hung: %d, %v", got, err)
		}
	})
}

// A flood of questions for what does not exist pushes out no value.
func TestAbsencesHaveAShelfOfTheirOwn(t *testing.T) {
	m := newMemo(10)
	known := &source{value: 7}
	for i := range 10 {
		_, _ = m.Get(t.Context(), fmt.Sprint("known", i), known.ask)
	}
	for i := range 1000 {
		_, _ = m.Get(t.Context(), fmt.Sprint("unknown", i), (&source{err: errAbsent}).ask)
	}
	for i := range 10 {
		_, _ = m.Get(t.Context(), fmt.Sprint("known", i), known.ask)
	}
	if n := known.asked.Load(); n != 10 {
		t.Errorf("10 known keys were asked for %d times", n)
	}
	if values, absences := m.Len(); values != 10 || absences != 10 {
		t.Errorf("%d values and %d absences are held, want 10 of each", values, absences)
	}
}

func TestConfigThatRemembersNothing(t *testing.T) {
	for name, c := range map[string]memo.Config{
		"entries": {Value: 1}, "value": {Entries: 1}, "absence": {Entries: 1, Value: 1, Absence: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			memo.New[string, int](c)
		}()
	}
}
