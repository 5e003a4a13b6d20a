package trigger_test

import (
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// A request that is tried again with the same id makes one run, whatever else it has,
// and never gets another tenant's, or another task's.
func TestOneIDOneRun(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, table runid.Table) {
		for name, with := range map[string]func(*trigger.Request){
			"plain": func(*trigger.Request) {},
			"key":   func(r *trigger.Request) { r.IdempotencyKey = "key of " + table.String() },
			"token": func(r *trigger.Request) { r.OneTimeUseToken = "token of " + table.String() },
			"both": func(r *trigger.Request) {
				r.IdempotencyKey, r.OneTimeUseToken = "both of "+table.String(), "both of "+table.String()
			},
		} {
			id := f.NewID(ours.OrganizationID)
			again := func(r *trigger.Request) { with(r); r.ID = id }
			first := f.make(t, request(again))
			// What was claimed and published is forgotten, as when it was not known what
			// became of the row.
			second, err := f.instance(t, f.flag, nil).Trigger(t.Context(), request(again))
			if err != nil || first.ID != id || second.ID != id || second.Run == nil {
				t.Errorf("%s: %s, and then %+v, %v", name, first.ID, second, err)
			}
			for what, change := range map[string]func(*trigger.Request){
				"another tenant": func(r *trigger.Request) { r.Environment = theirs },
				"another task":   func(r *trigger.Request) { r.Task = "other" },
			} {
				got, err := f.instance(t, f.flag, nil).Trigger(t.Context(), request(func(r *trigger.Request) { r.ID = id }, change))
				if err == nil {
					t.Errorf("%s gets %+v", what, got)
				}
			}
		}
		if n := f.count(t, `"id" IS NOT NULL`); n != 4*(int(table)+1) {
			t.Errorf("%d runs", n)
		}
	})
}
