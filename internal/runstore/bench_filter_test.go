package runstore

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// benchFilters measures the first page of lists as the platform's API reads them, of
// runs that nearly all have what the filter wants, and of those that one in a thousand
// has. There is an index for tags and for time, and none for status and task: there
// the page is found by reading back in time.
func (s *Store) benchFilters(b *testing.B) {
	ctx := context.Background()
	both := runid.Tables()
	middle := time.UnixMilli(1_750_000_000_000 + benchRows/3/2).UTC()
	failed, succeeded := []Status{CompletedWithErrors}, []Status{CompletedSuccessfully}
	for _, c := range []struct {
		name  string
		of    Filter
		times int // 0: 20
	}{
		{"status, of nearly all", Filter{Statuses: succeeded}, 0},
		{"status, of few", Filter{Statuses: failed}, 0},
		{"status, of none", Filter{Statuses: []Status{TimedOut}}, 3},
		{"task, of nearly all", Filter{TaskIdentifiers: []string{"task"}}, 0},
		{"task, of few", Filter{TaskIdentifiers: []string{"rare"}}, 0},
		{"tag, of few", Filter{AnyTag: []string{"tag7"}}, 0},
		{"two tags", Filter{AnyTag: []string{"tag7", "tag77"}}, 0},
		{"period, later half", Filter{CreatedFrom: middle}, 0},
		{"period, first half", Filter{CreatedBefore: middle}, 0},
		{"status of few in a period", Filter{Statuses: failed, CreatedBefore: middle}, 0},
		{"everything", Filter{Statuses: succeeded, TaskIdentifiers: []string{"task"}, AnyTag: []string{"tag7"}, CreatedFrom: middle}, 0},
	} {
		q := Query{EnvironmentID: benchEnv, Filter: c.of, Order: NewestFirst, Limit: 50, WithoutLarge: true}
		b.Run("list by/"+c.name, func(b *testing.B) {
			done := 0 // some read a large part of the tables, or all
			compareWhile(b, func() bool { done++; return done <= cmp.Or(c.times, 20) }, map[string]func(){
				"legacy": func() { b1(s.benchRead(ctx, q, both[:1], nil)) },
				"v2":     func() { b1(s.benchRead(ctx, q, both[1:], nil)) },
				"merged": func() { b1(s.FindPage(ctx, q)) },
			})
		})
		s.explain(ctx, b, q, both[:], nil)
	}
}
