package feeds

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// runs is a census.Store: the environments that have runs, by table.
type runs struct {
	mu   sync.Mutex
	in   [census.Tables]map[string]bool
	fail error
}

func (r *runs) EnvironmentsWithRuns(_ context.Context, asked [census.Tables][]string) (found [census.Tables][]string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range asked {
		for _, environment := range asked[i] {
			if r.in[i][environment] {
				found[i] = append(found[i], environment)
			}
		}
	}
	return found, r.fail
}

func (r *runs) set(table int, environment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in[table] == nil {
		r.in[table] = map[string]bool{}
	}
	r.in[table][environment] = true
}

// counted makes a Service whose environments have runs where r says.
func counted(t *testing.T, u *upstream, r *runs) *Service {
	t.Helper()
	c, err := census.New(census.Config{Store: r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return newService(t, u, Config{Census: c})
}

// tablesOf are the tables that the upstream was asked for since the last time.
func tablesOf(u *upstream) []string {
	tables := map[string]bool{}
	for _, q := range u.take() {
		tables[q.Get("table")] = true
	}
	return slices.Sorted(maps.Keys(tables))
}

var legacy, v2 = shapes.LegacyTable.String(), shapes.V2Table.String()

// A feed costs one shape where its environment has runs in one table only.
func TestAFeedHasTheTablesOfItsEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		in   []int
		fail error
		want []string
	}{
		"no runs":        {nil, nil, []string{legacy}},
		"legacy only":    {[]int{0}, nil, []string{legacy}},
		"v2 only":        {[]int{1}, nil, []string{v2}},
		"both":           {[]int{0, 1}, nil, []string{legacy, v2}},
		"cannot be said": {[]int{0}, errors.New("down"), []string{legacy, v2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			u, r := &upstream{}, &runs{fail: c.fail}
			for _, table := range c.in {
				r.set(table, env)
			}
			s := counted(t, u, r)
			for _, f := range []*Feed{s.Batch(env, v2ID, nil), tagFeed(t, s, nil, time.Hour)} {
				_, at := next(t, s, f, start)
				if got := tablesOf(u); !slices.Equal(got, c.want) {
					t.Errorf("%s: asks %v, want %v", name, got, c.want)
				}
				next(t, s, f, at)
				if got := tablesOf(u); !slices.Equal(got, c.want) {
					t.Errorf("%s: goes on with %v, want %v", name, got, c.want)
				}
			}
			next(t, s, s.Run(env, v2ID, nil), start)
			if got := tablesOf(u); !slices.Equal(got, []string{v2}) {
				t.Errorf("%s: a run's feed asks %v", name, got)
			}
		})
	}
}

// A client goes on in the same place, and has the other table as soon as there is
// a run in it: in the next request that is not held, and at most a Period later in
// one that is.
func TestAFeedGainsATable(t *testing.T) {
	both := []string{legacy, v2}
	for _, first := range []int{0, 1} {
		for _, live := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				u, r := &upstream{}, &runs{}
				r.set(first, env)
				s := counted(t, u, r)
				f := tagFeed(t, s, []string{"a"}, time.Hour)
				_, at := next(t, s, f, start)
				u.take()
				gained := time.AfterFunc(3*time.Second, func() { r.set(1-first, env) })
				if !live {
					time.Sleep(3*time.Second + 1)
				}
				began := time.Now()
				b, err := s.Next(t.Context(), f, at, live)
				if err != nil {
					t.Fatal(err)
				}
				b.Close()
				if held := time.Since(began); gained.Stop() || live && held < 15*time.Second || !b.UpToDate || b.Offset == at.Offset {
					t.Errorf("after %v: %+v", held, b)
				}
				if got := tablesOf(u); !slices.Equal(got, both) {
					t.Errorf("asks %v", got)
				}
				next(t, s, f, Place{Handle: b.Handle, Offset: b.Offset})
				if got := tablesOf(u); !slices.Equal(got, both) {
					t.Errorf("goes on with %v", got)
				}
			})
		}
	}
}

// A place may be on one side only; on none it is no place.
func TestAPlaceOnOneSide(t *testing.T) {
	u := &upstream{}
	s := newService(t, u, Config{})
	f := tagFeed(t, s, []string{"a"}, time.Hour)
	_, at := next(t, s, f, start)
	_, run := next(t, s, s.Run(env, v2ID, nil), start)
	at.Offset = run.Offset // v2 alone
	u.take()
	next(t, s, f, at)
	for _, q := range u.take() {
		if q.Get("params[1]") != env || q.Get("params[2]") != "a" {
			t.Errorf("asks %v", q)
		}
	}
	at.Offset = "0_0"
	refetch(t, s, f, at, false)
}
