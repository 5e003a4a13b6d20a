package trigger_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// Redis loses a claim while the run of it is being written, and the flag is turned before
// the next trigger: there is one run in each table, the first is told so in its log, and
// later triggers get v2's.
func TestRedisLosesAClaim(t *testing.T) {
	const lost, two = "has lost the claim", "there is another run with the same key or token"
	for name, c := range map[string]struct {
		lose func(*redistest.Server)
		says []string // what the log of the first has
	}{
		"emptied":   {func(s *redistest.Server) { s.Client(t).FlushAll(t.Context()) }, []string{lost, two}},
		"restarted": {func(s *redistest.Server) { s.Kill(); s.Again(t) }, []string{lost, two}},
		"killed":    {(*redistest.Server).Kill, []string{"does not answer"}},
	} {
		for _, of := range []string{"key", "token"} {
			t.Run(name+", "+of, func(t *testing.T) {
				server := redistest.Start(t)
				f := newFixture(t, shared(t, server))
				f.run(t, `
					CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
					CREATE TRIGGER hold BEFORE INSERT ON "TaskRun" FOR EACH ROW EXECUTE FUNCTION hold()`)
				with := request(func(r *trigger.Request) {
					if of == "key" {
						r.IdempotencyKey = "x"
					} else {
						r.OneTimeUseToken = "x"
					}
				})
				var log bytes.Buffer
				first, err := trigger.New(trigger.Config{Store: f.store, Flags: f.flag, Claims: shared(t, server), Log: zerolog.New(&log)})
				if err != nil {
					t.Fatal(err)
				}
				lock, err := f.pool.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = lock.Rollback(context.Background()) }()
				if _, err := lock.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`); err != nil {
					t.Fatal(err)
				}
				made := make(chan outcome, 1)
				go func() {
					r, err := first.Trigger(t.Context(), with)
					made <- outcome{r, err}
				}()
				for held := false; !held; { // bounded by the test's own time
					if err := f.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&held); err != nil {
						t.Fatal(err)
					}
				}
				c.lose(server)
				second := f.at(runid.V2).make(t, with)
				if err := lock.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := <-made
				if got.err != nil || got.IsCached || got.Run.Table() != runid.Legacy || second.Table() != runid.V2 || f.count(t, "true") != 2 {
					t.Errorf("%+v, %v, and %d runs", got.Result, got.err, f.count(t, "true"))
				}
				for _, says := range c.says {
					if !strings.Contains(log.String(), says) {
						t.Errorf("the log does not say %q: %s", says, &log)
					}
				}
				if first.Faults() == 0 {
					t.Error("no faults")
				}
				if of == "key" {
					for _, s := range []*trigger.Service{first, f.Service} {
						if r, err := s.Trigger(t.Context(), with); err != nil || !r.IsCached || r.ID != second.ID {
							t.Errorf("later: %+v, %v", r, err)
						}
					}
				}
			})
		}
	}
}
