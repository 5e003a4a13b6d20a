package blackbox

import (
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// A run is looked up for who starts, and not for who is in the middle of its feed, with
// a credential that names it. Nothing else is let in without.
func TestAPollOfARunLooksItUpOnce(t *testing.T) {
	w := newWorld(t, settings{})
	n := w.ours
	for table, run := range map[string]runstore.Run{"legacy": n.legacy, "v2": n.v2} {
		path, other := n.run(run), n.legacy
		if table == "legacy" {
			other = n.v2
		}
		at := w.fresh(path, n.key)
		otherAt, foreignAt := w.fresh(n.run(other), n.key), w.fresh(w.theirs.run(w.theirs.v2), w.theirs.key)
		broken := strings.Replace(at.place(), "handle=", "handle=A", 1)
		for name, c := range map[string]struct {
			path, place, credential string
			status, lookUps         int
		}{
			"the key":                              {path, at.place(), n.key, 200, 0},
			"a token of the run":                   {path, at.place(), n.token("read:runs:" + run.FriendlyID), 200, 0},
			"a token of all runs":                  {path, at.place(), n.token("read:runs"), 200, 0},
			"a token of a tag":                     {path, at.place(), n.token("read:tags:a"), 200, 1},
			"a token of another tag":               {path, at.place(), n.token("read:tags:c"), 403, 1},
			"a token of another run":               {path, at.place(), n.token("read:runs:" + other.FriendlyID), 403, 1},
			"a token to write":                     {path, at.place(), n.token("write:runs"), 403, 1},
			"no credential":                        {path, at.place(), "", 401, 0},
			"a foreign key":                        {path, at.place(), w.theirs.key, 404, 1},
			"a foreign token of the run":           {path, at.place(), w.theirs.token("read:runs:" + run.FriendlyID), 404, 1},
			"a foreign place":                      {path, foreignAt.place(), n.key, 409, 1},
			"a place in another run":               {path, otherAt.place(), n.key, 409, 1},
			"a forged place":                       {path, broken, n.key, 409, 1},
			"the beginning":                        {path, at.place("offset", "-1"), n.key, 200, 1},
			"other columns":                        {path, at.place("skipColumns", "payload"), n.key, 409, 1},
			"a run that is in no table":            {"/realtime/v1/runs/run_" + run.ID[:20], at.place(), n.key, 404, 1},
			"a run that is foreign":                {w.theirs.run(w.theirs.v2), at.place(), n.key, 404, 1},
			"a run by its own and not friendly id": {"/realtime/v1/runs/" + run.ID, at.place(), n.key, 400, 0},
		} {
			before := w.finder.runs.Load()
			got := w.get(with(c.path, c.place), c.credential)
			if lookUps := int(w.finder.runs.Load() - before); got.status != c.status || lookUps != c.lookUps {
				t.Errorf("%s run, %s: %d after %d look-ups, want %d after %d; %.200s", table, name, got.status, lookUps, c.status, c.lookUps, got.body)
			}
			if strings.Contains(got.body, w.theirs.canary) {
				t.Errorf("%s run, %s: a foreign row: %s", table, name, got.body)
			}
		}
		// Whoever waits hears of the next change, and goes on.
		live := w.poll(with(path, at.place("live", "true")), n.key)
		w.untilTaken(n.env, 1)
		before := w.finder.runs.Load()
		w.exec(`UPDATE `+map[string]string{"legacy": `"TaskRun"`, "v2": "task_run_v2"}[table]+` SET "metadata" = '1' WHERE "id" = $1`, run.ID)
		if got := w.answered(live); got.status != 200 || strings.Join(got.ids(t), " ") != run.ID || w.finder.runs.Load() != before {
			t.Errorf("%s run: %d %s", table, got.status, got.body)
		}
	}
}

// A run that is deleted is deleted for its readers, who may wait on for nothing: they are
// not told that it is not found until they start anew.
func TestARunThatIsDeleted(t *testing.T) {
	w := newWorld(t, settings{hold: 100 * time.Millisecond})
	n := w.ours
	at := w.fresh(n.run(n.bareV2), n.key)
	before := w.finder.runs.Load()
	w.exec(`DELETE FROM task_run_v2 WHERE "id" = $1`, n.bareV2.ID)
	deleted, polls := 0, 0
	for after := 0; after < 3 && polls < 1000; polls++ {
		at = w.get(with(n.run(n.bareV2), at.place("live", "true")), n.key)
		if at.status != 200 {
			t.Fatalf("%d %s", at.status, at.body)
		}
		ms := at.messages(t)
		if ms[0].Headers.Operation == "delete" && ms[0].id() == n.bareV2.ID {
			deleted++
		} else if len(ms) != 1 || ms[0].Headers.Control != "up-to-date" {
			t.Fatalf("%s", at.body)
		}
		after += deleted
	}
	if deleted != 1 || w.finder.runs.Load() != before {
		t.Errorf("deleted %d times in %d polls, %d look-ups", deleted, polls, w.finder.runs.Load()-before)
	}
}

// The id of an old run's row is no name of it, whatever place one has: its friendly id says
// nothing about it, and another run may have that.
func TestAnOldRunHasOneName(t *testing.T) {
	w := newWorld(t, settings{})
	n := w.ours
	w.exec(`UPDATE "TaskRun" SET "friendlyId" = 'run_oldest' WHERE "id" = $1`, n.bareLegacy.ID)
	const path = "/realtime/v1/runs/run_oldest"
	at := w.fresh(path, n.key)
	if ids := at.ids(t); len(ids) != 1 || ids[0] != n.bareLegacy.ID {
		t.Fatalf("%v", ids)
	}
	for _, credential := range []string{n.key, n.token("read:runs:run_" + n.bareLegacy.ID)} {
		if got := w.get(with(n.run(n.bareLegacy), at.place()), credential); got.status != 404 {
			t.Errorf("by its row's id: %d %s", got.status, got.body)
		}
	}
	before := w.finder.runs.Load()
	if got := w.get(with(path, at.place()), n.token("read:runs:run_oldest")); got.status != 200 || w.finder.runs.Load() != before+1 {
		t.Errorf("by its name: %d %s", got.status, got.body)
	}
}
