package blackbox

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/tests/upstream"
)

// followed is a world whose upstream is behind a front, and clients of it. settled
// waits until they hold these rows, and gives how long that took.
type followed struct {
	*world
	front     *upstream.Front
	followers []*follower
	ids       []string
}

func newFollowed(t *testing.T) *followed {
	f := &followed{}
	f.world = newWorld(t, settings{around: func(next http.RoundTripper) http.RoundTripper {
		f.front = upstream.New(t, next, "http://upstream.internal")
		return f.front.Transport()
	}})
	f.ids = []string{f.ours.legacy.ID, f.ours.v2.ID}
	return f
}

func (f *followed) follow() {
	f.t.Helper()
	f.followers = []*follower{f.world.follow("/realtime/v1/runs?tags=a"), f.world.follow("/realtime/v1/batches/" + f.ours.batch.FriendlyID)}
	f.settled()
}

// settled waits until the clients hold every row, and wait for more.
func (f *followed) settled() time.Duration {
	f.t.Helper()
	slices.Sort(f.ids)
	began := time.Now()
	f.until(fmt.Sprintf("%d rows", len(f.ids)), func() bool {
		return !slices.ContainsFunc(f.followers, func(one *follower) bool { return !one.holds(f.ids) })
	})
	return time.Since(began)
}

// burst makes runs in both tables, each table's in one transaction.
func (f *followed) burst(each int) {
	f.t.Helper()
	for _, table := range []runid.Table{runid.Legacy, runid.V2} {
		if err := pgx.BeginFunc(f.t.Context(), f.pool, func(tx pgx.Tx) error {
			in := *f.world
			in.store = f.store.In(tx)
			n := f.ours
			n.w = &in
			for range each {
				f.ids = append(f.ids, n.create(table, runstore.NewRun{Tags: []string{"a"}, BatchID: &n.batch.ID}).ID)
			}
			return nil
		}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// unharmed fails the test if a client noticed anything but rows.
func (f *followed) unharmed(what string) {
	f.t.Helper()
	for _, one := range f.followers {
		one.mu.Lock()
		if one.refetch+one.faults+one.unknown > 0 {
			f.t.Errorf("%s, %s: %d must-refetch, %d faults, %d changes of unknown rows", what, one.path, one.refetch, one.faults, one.unknown)
		}
		one.mu.Unlock()
	}
}

// late is what a row takes that comes only because a hold, of 17 s at the least, ended.
const late = 15 * time.Second

// A row that closes a chunk of Electric's log can be missing from the answer that
// names it, and an answer to a held poll can be not up to date. No row is lost to
// anybody, none waits for the next, and nobody starts over.
func TestRowsThatElectricSkipsOrTellsInParts(t *testing.T) {
	f := newFollowed(t)
	f.follow()
	for name, edit := range map[string]func(*upstream.Answer) bool{
		"skips the last row": upstream.SkipTheLast,
		"is not up to date":  upstream.NotUpToDate,
		"both":               func(a *upstream.Answer) bool { return upstream.SkipTheLast(a) && upstream.NotUpToDate(a) },
	} {
		var edited atomic.Int32
		f.front.Edit(func(a *upstream.Answer) {
			if edit(a) {
				edited.Add(1)
			}
		})
		repaired := f.electric.Repairs()
		for n := range 6 {
			f.untilTaken(f.ours.env, len(f.followers))
			f.burst(1 + n%3)
			if took := f.settled(); took > late {
				t.Errorf("%s: the rows took %s", name, took)
			}
		}
		f.front.Edit(nil)
		f.unharmed(name)
		if edited.Load() == 0 || (f.electric.Repairs() > repaired) != (name != "is not up to date") {
			t.Errorf("%s: %d answers, %d repairs", name, edited.Load(), f.electric.Repairs()-repaired)
		}
	}
}

// Electric is restarted under held polls, and says up to date before it has caught
// up, to reads and to polls. What was written meanwhile comes when it has, at once,
// and nobody starts over or sees a fault.
func TestAnUpstreamThatIsBehindAfterARestart(t *testing.T) {
	f := newFollowed(t)
	var behind upstream.Behind
	f.front.Edit(behind.Learn)
	f.follow()
	for _, one := range f.followers { // learn the schemas of reads that are not the first
		one.leave()
		one.resume()
	}
	f.settled()
	f.untilTaken(f.ours.env, len(f.followers))
	f.front.Stop()
	f.burst(2)
	f.front.Instead(behind.Answer)
	f.front.Start()
	behind.Await(t, 8) // of two feeds, two sides each
	fresh := f.world.follow("/realtime/v1/runs?tags=a&createdAt=1h")
	f.burst(1)
	behind.Await(t, 8)
	behind.CatchUp()
	f.followers = append(f.followers, fresh)
	if took := f.settled(); took > late {
		t.Errorf("the rows took %s", took)
	}
	f.unharmed("behind")
	f.front.Stop() // and what it says after another restart, when it has caught up
	f.burst(1)
	f.front.Start()
	if took := f.settled(); took > late {
		t.Errorf("after another restart the rows took %s", took)
	}
	f.unharmed("not behind")
}
