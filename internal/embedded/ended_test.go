package embedded

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// TestFollowingEnds: a server that cannot follow the database any more says nothing
// about it, least of all that a reader is up to date. Places stay valid: there is no
// must-refetch.
func TestFollowingEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*testing.T, *bench)
		says func(error) bool
	}{
		"a table is unfit": {
			func(_ *testing.T, b *bench) {
				b.write(`ALTER TABLE "TaskRun" REPLICA IDENTITY DEFAULT`)
				b.write(`UPDATE "TaskRun" SET number = 7`)
			},
			func(err error) bool {
				return err != nil && strings.Contains(err.Error(), `ALTER TABLE "public"."TaskRun" REPLICA IDENTITY FULL`)
			},
		},
		"another instance has the slot": {
			func(t *testing.T, b *bench) {
				// The lock goes with its connection.
				b.write(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE 'realtime-gw control%' AND datname = current_database()`)
				other, err := New(t.Context(), b.server.cfg)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := other.Close(context.Background()); err != nil {
						t.Errorf("close of the other instance: %v", err)
					}
				})
			},
			func(err error) bool { return errors.Is(err, replication.ErrSlotTaken) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			b := newBench(t, Config{Logger: zerolog.New(&log).Level(zerolog.ErrorLevel)})
			b.exec(addRun, "a", "env", []string{"x"})
			snap := b.get(tagFeed("env", "x"))
			q := with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf")
			held, ahead := b.hold("held", with(q, "live", "true")), b.hold("ahead", with(q, "offset", "999999999999999_0"))
			test.end(t, b)
			select {
			case <-b.server.Done():
			case <-time.After(patience):
				t.Fatal("the server goes on")
			}
			if err := b.server.Err(); !test.says(err) {
				t.Errorf("it has ended with %v", err)
			}
			for what, got := range map[string]reply{
				"held": b.answer(held), "held ahead of the log": b.answer(ahead), "at its place": b.get(q), "live": b.get(with(q, "live", "true")),
				"at the beginning": b.get(tagFeed("env", "x")), "a new shape": b.get(tagFeed("elsewhere")),
			} {
				if got.status != http.StatusServiceUnavailable || got.header.Get("retry-after") == "" || !strings.Contains(got.body, "no longer followed") {
					t.Errorf("%s: %d %v %s", what, got.status, got.header, got.body)
				}
			}
			if got := b.health(); got != `202 {"status":"starting"}` {
				t.Errorf("health: %s", got)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "no longer followed") {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}
