package trigger_test

import (
	"context"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// A child that is being written while its parent, or that one's parent, is canceled is
// canceled as well, whichever tables they are in. One that is triggered after that, as
// code that cleans up does, is not.
func TestCancelRacesTrigger(t *testing.T) {
	f := newFixture(t, nil)
	for _, table := range runid.Tables() {
		f.run(t, `
			CREATE FUNCTION hold_`+table.String()+`() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
			CREATE TRIGGER hold BEFORE INSERT ON `+table.SQL()+` FOR EACH ROW WHEN (NEW.payload = 'slow') EXECUTE FUNCTION hold_`+table.String()+`()`)
	}
	for _, of := range runid.Tables() {
		for _, top := range runid.Tables() {
			all := f.tree(t, top, 1)
			grandparent, parent := all[0][0], all[1][0]
			under := func(r *trigger.Request) { r.ParentRun = parent.FriendlyID }
			slow := func(r *trigger.Request) { r.Payload, r.PayloadType = "slow", "text/plain" }
			lock, err := f.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lock.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Rollback(context.Background()) }()
			made := make(chan runstore.Run, 1)
			go func() {
				defer close(made)
				got, err := f.at(of).Trigger(t.Context(), request(under, slow))
				if err != nil || got.IsCached || got.Run == nil {
					t.Errorf("%+v, %v", got, err)
					return
				}
				made <- *got.Run
			}()
			for held := false; !held; { // bounded by the test's own time
				if err := f.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&held); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := f.Cancel(t.Context(), ours.ID, grandparent.FriendlyID, ""); err != nil || got.Descendants != 1 {
				t.Errorf("%d below, %v", got.Descendants, err)
			}
			if err := lock.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			child, ok := <-made
			if !ok {
				t.FailNow()
			}
			if now := f.read(t, child); now.Status != runstore.Canceled || child.Status != runstore.Canceled || child.Table() != of || now.CompletedAt == nil || now.Error == nil {
				t.Errorf("a child in %s, of one in %s: %s, and %s was told", of, parent.Table(), now.Status, child.Status)
			}
			if late := f.make(t, request(under)); f.read(t, late).Status != runstore.Pending {
				t.Errorf("a child that came later is %s", f.read(t, late).Status)
			}
		}
	}
}
