package census

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is two tables that a test fills. Looking takes a while.
type store struct {
	mu    sync.Mutex
	takes time.Duration
	has   [Tables]map[string]bool
	fails error
	asked [][Tables][]string
}

func (s *store) put(table int, environment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has[table] == nil {
		s.has[table] = map[string]bool{}
	}
	s.has[table][environment] = true
}

func (s *store) EnvironmentsWithRuns(ctx context.Context, asked [Tables][]string) (found [Tables][]string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, asked)
	for i := range asked {
		for _, environment := range asked[i] {
			if s.has[i][environment] {
				found[i] = append(found[i], environment)
			}
		}
	}
	fails, takes := s.fails, s.takes
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return [Tables][]string{}, ctx.Err()
	}
	if fails != nil {
		return [Tables][]string{}, fails
	}
	return found, nil
}

// looks is how often the store was looked into since the last time.
func (s *store) looks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.asked)
	s.asked = nil
	return n
}

// in plays a test on a clock of its own.
func in(t *testing.T, c Config, do func(t *testing.T, s *store, c *Census)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c.Store = s
		got, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		do(t, s, got)
	})
}

func has(t *testing.T, c *Census, environment string) [Tables]bool {
	t.Helper()
	got, err := c.Has(t.Context(), environment)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Whoever asks learns of what was there when they asked, also while another look
// is under way that began before.
func TestHasSeesWhatWasThere(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		s.takes = time.Second
		var early sync.WaitGroup
		early.Go(func() {
			if got := has(t, c, "e"); got != [Tables]bool{} {
				t.Errorf("found %v", got)
			}
		})
		synctest.Wait()
		s.put(1, "e")
		began := time.Now()
		if got := has(t, c, "e"); got != [Tables]bool{false, true} {
			t.Errorf("found %v", got)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v, want the rest of one look and another", took)
		}
		early.Wait()
	})
}

// A thousand who ask at once are served by two looks at most.
func TestManyWhoAskShareALook(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		s.takes = time.Second
		for i := range 1000 {
			s.put(i%2, fmt.Sprint(i%100))
		}
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				if got := has(t, c, fmt.Sprint(i%100)); got != [Tables]bool{i%2 == 0, i%2 == 1} {
					t.Errorf("%d: %v", i, got)
				}
			})
		}
		all.Wait()
		if n := s.looks(); n < 1 || n > 2 {
			t.Errorf("%d looks", n)
		}
	})
}

// What was found is not looked for again.
func TestFoundIsRemembered(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		s.put(0, "e")
		has(t, c, "e")
		has(t, c, "e")
		for _, asked := range s.asked[1:] {
			if len(asked[0]) > 0 {
				t.Errorf("asked for legacy runs again: %v", asked)
			}
		}
		s.put(1, "e")
		has(t, c, "e")
		s.looks()
		gains, release := c.Watch("e")
		defer release()
		if !closed(gains[0]) || !closed(gains[1]) || has(t, c, "e") != [Tables]bool{true, true} {
			t.Error("not remembered")
		}
		time.Sleep(time.Minute)
		if n := s.looks(); n != 0 {
			t.Errorf("%d looks for what is known", n)
		}
	})
}

// Who watches hears within a Period; one query looks for all, and none looks when
// nobody does.
func TestWatch(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		time.Sleep(time.Minute)
		if n := s.looks(); n != 0 {
			t.Errorf("%d looks for nobody", n)
		}
		gains := [10][Tables]<-chan struct{}{}
		var releases []func()
		for i := range gains {
			var release func()
			gains[i], release = c.Watch(fmt.Sprint(i))
			releases = append(releases, release)
		}
		synctest.Wait()
		s.looks()
		time.Sleep(11 * time.Second)
		if n := s.looks(); n != 5 {
			t.Errorf("%d looks in 11 s, want 5", n)
		}
		began := time.Now()
		s.put(1, "3")
		<-gains[3][1]
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("heard after %v", took)
		}
		if closed(gains[3][0]) || closed(gains[4][1]) {
			t.Error("others heard, too")
		}
		for _, release := range releases {
			release()
			release() // once counts
		}
		s.looks()
		time.Sleep(time.Minute)
		if n := s.looks(); n != 0 {
			t.Errorf("%d looks when all had left", n)
		}
	})
}

// A store that fails is an error to who asks, and a later look to who watches.
func TestAStoreThatFails(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		down := errors.New("down")
		s.fails = down
		s.put(1, "e")
		if _, err := c.Has(t.Context(), "e"); !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
		gains, release := c.Watch("e")
		defer release()
		time.Sleep(5 * time.Second)
		if closed(gains[1]) {
			t.Error("heard of what cannot be seen")
		}
		s.mu.Lock()
		s.fails = nil
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !closed(gains[1]) {
			t.Error("not looked for again")
		}
		s.takes = time.Hour
		if _, err := c.Has(t.Context(), "f"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a look that hangs: %v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, down)
		defer cancel()
		if _, err := c.Has(ctx, "f"); !errors.Is(err, down) {
			t.Errorf("a reader who leaves: %v", err)
		}
	})
}

// Close lets go of who waits.
func TestClose(t *testing.T) {
	in(t, Config{}, func(t *testing.T, s *store, c *Census) {
		s.takes = time.Hour
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := c.Has(t.Context(), "e"); err == nil {
				t.Error("found")
			}
		})
		synctest.Wait()
		c.Close()
		waiting.Wait()
	})
}

// Who asked is told what was found, also if it is more than is remembered.
func TestWhatIsFoundIsTold(t *testing.T) {
	in(t, Config{Entries: 1}, func(t *testing.T, s *store, c *Census) {
		var waiting sync.WaitGroup
		for n := range 20 {
			environment := fmt.Sprint(n)
			s.put(n%Tables, environment)
			waiting.Go(func() {
				if got := has(t, c, environment); !got[n%Tables] || got[1-n%Tables] {
					t.Errorf("environment %d: %v", n, got)
				}
			})
		}
		waiting.Wait()
	})
}

// Of those that nobody watches, only so many are remembered; what is watched is
// never forgotten.
func TestEntriesAreBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 59), 1, 60).Draw(rt, "steps")
		in(t, Config{Entries: 3}, func(t *testing.T, s *store, c *Census) {
			watching := map[string][]func(){}
			gains := map[string][Tables]<-chan struct{}{}
			for _, step := range steps {
				environment := fmt.Sprint(step % 10)
				switch step / 10 {
				case 0, 1:
					g, release := c.Watch(environment)
					if before, ok := gains[environment]; ok && before != g {
						rt.Fatal("watched, and forgotten")
					}
					gains[environment] = g
					watching[environment] = append(watching[environment], release)
				case 2, 3:
					if all := watching[environment]; len(all) > 0 {
						all[0]()
						if watching[environment] = all[1:]; len(all) == 1 {
							delete(gains, environment)
						}
					}
				case 4:
					s.put(step%2, environment)
					got := has(t, c, environment)
					if !got[step%2] {
						rt.Fatalf("not found: %v", got)
					}
				case 5:
					time.Sleep(2 * time.Second)
					synctest.Wait()
					for environment, g := range gains {
						if closed(g[0]) != s.has[0][environment] || closed(g[1]) != s.has[1][environment] {
							rt.Fatalf("%s was not told", environment)
						}
					}
				}
				c.mu.Lock()
				idle := 0
				for environment, e := range c.entries {
					if e.watchers != len(watching[environment]) {
						rt.Fatalf("%s has %d watchers, want %d", environment, e.watchers, len(watching[environment]))
					}
					if e.watchers == 0 {
						idle++
					}
					if _, watched := c.watched[environment]; watched != (e.watchers > 0 && !e.whole()) {
						rt.Fatalf("%s: watched is %v", environment, watched)
					}
				}
				if idle != c.idle || idle > 3 {
					rt.Fatalf("%d are idle, counted %d", idle, c.idle)
				}
				c.mu.Unlock()
			}
			for _, releases := range watching {
				for _, release := range releases {
					release()
				}
			}
		})
	})
}
