package clients

import (
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// scenario is something that every client must come through. All of them do so
// side by side, in one world.
type scenario struct {
	name string
	run  func(t *testing.T, c *crowd)
}

func scenarios() []scenario {
	return []scenario{
		{"snapshot of both tables", snapshot},
		{"snapshot and bursts in chunks", chunks},
		{"live insert, update, delete", live},
		{"transaction over both tables", transactions},
		{"a status of the day", statuses},
		{laterDay, laterStatuses},
		{"TRUNCATE of TaskRun", truncation(runid.Legacy)},
		{"TRUNCATE of task_run_v2", truncation(runid.V2)},
		{"first runs in task_run_v2", joins(runid.Legacy)},
		{"first runs in TaskRun", joins(runid.V2)},
		{"gateway killed, restarted", restart},
		{"gateway killed, another takes over", takeover},
		{"gateway killed, another behind a proxy", failover},
		{resuming, resume},
		{"public tokens", publicTokens},
	}
}

// TestClients runs every scenario with every client, and says how it went.
func TestClients(t *testing.T) {
	results := newTable(chosen(t))
	t.Run("with", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				if c := newCrowd(t, s.name, results); len(c.members) > 0 {
					s.run(t, c)
					c.finished = true
				}
			})
		}
	})
	// The inner group returns when all that ran side by side is over.
	if err := results.publish(); err != nil {
		t.Fatal(err)
	}
}
