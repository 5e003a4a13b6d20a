package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

func shared(t testing.TB, s *redistest.Server) *claims.Redis {
	t.Helper()
	// A machine that is busy with tests does not lose what Redis would have told.
	c, err := claims.NewRedis(claims.RedisConfig{URL: s.URL(), Wait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// flipping turns the flag at every look at it: of two triggers that follow one
// another, each goes to the other table.
type flipping struct{ n atomic.Uint64 }

func (f *flipping) RunTableV2(string) bool { return f.n.Add(1)%2 == 0 }

// outcome is what came of one of many triggers.
type outcome struct {
	trigger.Result
	err error
}

// together triggers n times at once, in turn on each of the services, and does
// something when so many of them have an answer; 0: before the first.
func together(ctx context.Context, n int, services []*trigger.Service, request func(i int) trigger.Request, when int64, do func()) []outcome {
	all := make([]outcome, n)
	var wg sync.WaitGroup
	var ready, done atomic.Int64
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			if ready.Add(1) == int64(n) {
				close(gate)
			}
			<-gate
			r, err := services[i%len(services)].Trigger(ctx, request(i))
			all[i] = outcome{r, err}
			if done.Add(1) == when {
				do()
			}
		})
	}
	if when == 0 {
		<-gate
		do()
	}
	wg.Wait()
	return all
}

func nothing() {}

// sharing are requests that have one key, or one token.
func sharing(token bool, x string) func(int) trigger.Request {
	return func(int) trigger.Request {
		return request(func(r *trigger.Request) {
			if token {
				r.OneTimeUseToken = x
			} else {
				r.IdempotencyKey = x
			}
		})
	}
}

// ofThese is a condition on runs that have a key, or token, of sharing.
const ofThese = `coalesce("idempotencyKey", "oneTimeUseToken") = $1`

// refused says that an outcome is the one that a token has at its second use.
func (o outcome) refused(token bool) bool { return token && errors.Is(o.err, trigger.ErrTokenUsed) }

// instances are two services that share a Redis, a database, and a flag that does
// not stay.
func instances(t *testing.T) (*fixture, []*trigger.Service, *redistest.Server) {
	server := redistest.Start(t)
	f := newFixture(t, nil)
	flags := &flipping{}
	return f, []*trigger.Service{f.instance(t, flags, shared(t, server)), f.instance(t, flags, shared(t, server))}, server
}

// TestOneKeyOneRun: however many trigger with one key at once, on two instances,
// while the flag turns at every look: there is one run, in one table, and all are
// told of it.
func TestOneKeyOneRun(t *testing.T) {
	f, services, _ := instances(t)
	for round := range 3 {
		key := fmt.Sprintf("key %d", round)
		all := together(t.Context(), 200, services, func(int) trigger.Request {
			return request(func(r *trigger.Request) { r.IdempotencyKey = key })
		}, 0, nothing)
		made := 0
		for _, o := range all {
			if o.err != nil {
				t.Fatal(o.err)
			}
			if !o.IsCached {
				made++
			}
			if o.FriendlyID != all[0].FriendlyID || o.Run.ID != all[0].Run.ID {
				t.Fatalf("told of %s, and of %s", all[0].FriendlyID, o.FriendlyID)
			}
		}
		if n := f.count(t, `"idempotencyKey" = $1`, key); made != 1 || n != 1 {
			t.Errorf("%s: %d were told that they made it, and there are %d runs", key, made, n)
		}
	}
	for _, s := range services {
		if n := s.Faults(); n != 0 {
			t.Errorf("%d faults of a Redis that was there", n)
		}
	}
}

// The same with a one-time-use token: one may use it, and all others are told so.
func TestOneTokenOneRun(t *testing.T) {
	f, services, _ := instances(t)
	for round := range 3 {
		token := fmt.Sprintf("token %d", round)
		all := together(t.Context(), 200, services, func(i int) trigger.Request {
			return request(func(r *trigger.Request) {
				r.OneTimeUseToken = token
				if i%2 == 0 { // with a key of its own, or none
					r.IdempotencyKey = fmt.Sprint(token, i)
				}
			})
		}, 0, nothing)
		made := 0
		for _, o := range all {
			switch {
			case o.err == nil && !o.IsCached:
				made++
			case !errors.Is(o.err, trigger.ErrTokenUsed):
				t.Fatalf("%+v, %v", o.Result, o.err)
			}
		}
		if n := f.count(t, `"oneTimeUseToken" = $1`, token); made != 1 || n != 1 {
			t.Errorf("%s: %d were told that they made a run, and there are %d", token, made, n)
		}
	}
	if n := f.count(t, "true"); n != 3 {
		t.Errorf("%d runs, not 3", n)
	}
}

// Different keys are not in each other's way: 1,000 keys, each triggered twice,
// 200 triggers at a time, are 1,000 runs.
func TestManyKeys(t *testing.T) {
	f, services, _ := instances(t)
	runs := map[string]int{}
	for hundred := range 10 {
		for _, o := range together(t.Context(), 200, services, func(i int) trigger.Request {
			return request(func(r *trigger.Request) { r.IdempotencyKey = fmt.Sprint(hundred, ":", i/2) })
		}, 0, nothing) {
			if o.err != nil {
				t.Fatal(o.err)
			}
			runs[o.FriendlyID]++
		}
	}
	if n := f.count(t, "true"); n != 1000 || len(runs) != 1000 {
		t.Errorf("%d runs, and %d were told of", n, len(runs))
	}
}

// TestRedisDies in the middle of 200 triggers with one key, or token, at several
// moments. What is lost is what the tables' own indexes cannot hold: there may be
// one run in each table, and never two in one. Nobody is refused for it.
func TestRedisDies(t *testing.T) {
	server := redistest.Start(t)
	f := newFixture(t, nil)
	f.claimWait = 500 * time.Millisecond
	flags := &flipping{}
	services := []*trigger.Service{f.instance(t, flags, shared(t, server)), f.instance(t, flags, shared(t, server))}
	both := 0
	for _, token := range []bool{false, true} {
		for _, when := range []int64{0, 1} {
			name := fmt.Sprintf("token %v, after %d", token, when)
			all := together(t.Context(), 200, services, sharing(token, name), when, server.Kill)
			made := map[runid.Table]int{}
			for _, o := range all {
				switch {
				case o.err == nil && !o.IsCached:
					made[o.Run.Table()]++
				case o.err != nil && !o.refused(token):
					t.Fatalf("%s: %v", name, o.err)
				}
			}
			total := f.count(t, ofThese, name)
			if made[runid.Legacy] > 1 || made[runid.V2] > 1 || total != made[runid.Legacy]+made[runid.V2] || total == 0 {
				t.Errorf("%s: %v were made, and there are %d", name, made, total)
			}
			if total == 2 {
				both++
			}
			server = server.Again(t)
		}
	}
	t.Logf("%d times of 4 there was a run in each table", both)
	if n := services[0].Faults() + services[1].Faults(); n == 0 {
		t.Error("a Redis that died was not missed")
	}
}

// meeting is a flag that says no to the first who asks and yes to the second, and
// to neither before both have asked.
type meeting struct {
	n    atomic.Int64
	both chan struct{}
}

func (m *meeting) RunTableV2(string) bool {
	switch m.n.Add(1) {
	case 1:
		<-m.both
		return false
	case 2:
		close(m.both)
	}
	return true
}

// Without Redis, because it is dead or none is configured, the bound of TestRedisDies is
// reached when two triggers do not see each other and the flag is turned between them. Who
// comes later with the key gets v2's run; but if none is configured, the instance's own for
// 30 seconds. Who comes later with the token is told that it is used.
func TestWhatIsLostWithoutRedis(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	f := newFixture(t, nil)
	for redis, of := range map[string]func() claims.Claims{
		"dead": func() claims.Claims { return shared(t, server) },
		"none": func() claims.Claims { return nil }, // each instance has slots of its own
	} {
		for _, token := range []bool{false, true} {
			name := fmt.Sprintf("%s, token %v", redis, token)
			t.Run(name, func(t *testing.T) {
				flags := &meeting{both: make(chan struct{})}
				services := []*trigger.Service{f.instance(t, flags, of()), f.instance(t, flags, of())}
				later := services
				if redis == "none" { // what an instance has published it answers with, until that ends
					later = []*trigger.Service{f.instance(t, flags, of()), f.instance(t, flags, of())}
				}
				f.losesOne(t, token, name, services, later)
			})
		}
	}
}

// losesOne has two instances, whose flag is turned between them, make two runs of a key
// or a token. Those that come later are told of one, or that the token is used.
func (f *fixture) losesOne(t *testing.T, token bool, x string, services, later []*trigger.Service) {
	t.Helper()
	tables := map[runid.Table]string{}
	for _, o := range together(t.Context(), 2, services, sharing(token, x), 0, nothing) {
		if o.err != nil || o.IsCached {
			t.Fatalf("%+v, %v", o.Result, o.err)
		}
		tables[o.Run.Table()] = o.FriendlyID
	}
	if len(tables) != 2 {
		t.Fatalf("the runs are in %v", tables)
	}
	for _, o := range together(t.Context(), 20, later, sharing(token, x), 0, nothing) {
		if told := o.err == nil && o.IsCached && o.FriendlyID == tables[runid.V2]; token != o.refused(token) || token == told {
			t.Fatalf("%+v, %v, want %s", o.Result, o.err, tables[runid.V2])
		}
	}
	if n := f.count(t, ofThese, x); n != 2 {
		t.Errorf("%d runs", n)
	}
}

// The claims of one process keep triggers apart that are in it, with one key or one token.
func TestInMemory(t *testing.T) {
	f := newFixture(t, nil)
	service := f.instance(t, &flipping{}, nil)
	for _, token := range []bool{false, true} {
		name := func(i int) string { return fmt.Sprintf("token %v, %d", token, i%10) }
		made, told := map[string]int{}, map[string]string{}
		for i, o := range together(t.Context(), 200, []*trigger.Service{service}, func(i int) trigger.Request {
			return sharing(token, name(i))(i)
		}, 0, nothing) {
			if o.refused(token) {
				continue
			}
			if o.err != nil {
				t.Fatal(o.err)
			}
			if !o.IsCached {
				made[name(i)]++
			}
			if first := told[name(i)]; first != "" && first != o.FriendlyID {
				t.Errorf("%s: told of %s, and of %s", name(i), first, o.FriendlyID)
			}
			told[name(i)] = o.FriendlyID
		}
		for i := range 10 {
			if n := f.count(t, ofThese, name(i)); made[name(i)] != 1 || n != 1 {
				t.Errorf("%s: %d were told that they made it, and there are %d runs", name(i), made[name(i)], n)
			}
		}
	}
}
