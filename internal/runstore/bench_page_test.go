package runstore

import (
	"context"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// mostOfAPage is how much longer a page of both tables may take than the same page of
// one: the mean of each table alone, since half of it comes from each. It is the
// median of what each round gives.
const mostOfAPage = 1.25

// benchPages measures pages of everything and of a period, at the beginning and in the
// middle, in both directions, and fails where both tables take too long.
func (s *Store) benchPages(b *testing.B) {
	ctx := context.Background()
	both := runid.Tables()
	begin := time.UnixMilli(1_750_000_000_000).UTC()
	part := func(of int) time.Time { return begin.Add(benchRows / 3 / 6 * time.Duration(of) * time.Millisecond) }
	middle := &place{created: part(3), id: "m"}
	inner := Filter{CreatedFrom: part(1), CreatedBefore: part(5)}
	for _, c := range []struct {
		name  string
		of    Filter
		order Order
		at    *place
	}{
		{"everything/newest", Filter{}, NewestFirst, nil},
		{"everything/oldest", Filter{}, OldestFirst, nil},
		{"everything/middle", Filter{}, NewestFirst, middle},
		{"from/newest", Filter{CreatedFrom: part(1)}, NewestFirst, nil},
		{"from/oldest", Filter{CreatedFrom: part(1)}, OldestFirst, nil},
		{"before/newest", Filter{CreatedBefore: part(5)}, NewestFirst, nil},
		{"period/newest", inner, NewestFirst, nil},
		{"period/oldest", inner, OldestFirst, nil},
		{"period/middle, newest", inner, NewestFirst, middle},
		{"period/middle, oldest", inner, OldestFirst, middle},
	} {
		q := Query{EnvironmentID: benchEnv, Filter: c.of, Order: c.order, Limit: 50, WithoutLarge: true}
		b.Run("page/"+c.name, func(b *testing.B) {
			took := compare(b, map[string]func(){
				"legacy": func() { b2(s.benchRead(ctx, q, both[:1], c.at)) },
				"v2":     func() { b2(s.benchRead(ctx, q, both[1:], c.at)) },
				"merged": func() { b2(s.benchRead(ctx, q, both[:], c.at)) },
			})
			var ofOne, ofV2 []float64
			for i, merged := range took["merged"] {
				ofOne = append(ofOne, 2*float64(merged)/float64(took["legacy"][i]+took["v2"][i]))
				ofV2 = append(ofV2, float64(merged)/float64(took["v2"][i]))
			}
			b.ReportMetric(median(ofOne), "of-one")
			b.ReportMetric(median(ofV2), "of-v2")
			// In few rounds the first, which plans, counts too much.
			if b.N >= 100 && median(ofOne) > mostOfAPage {
				b.Errorf("the page of both tables takes %.2f times that of one; at most %.2f was promised", median(ofOne), mostOfAPage)
			}
		})
	}
	s.explain(ctx, b, Query{EnvironmentID: benchEnv, Filter: inner, Order: NewestFirst, Limit: 50}, both[:], middle)

	// Here a page of both has up to twice the runs of one. It is no slower than to ask
	// one table after the other.
	for name, of := range map[string]Filter{
		"narrow": {CreatedFrom: part(2), CreatedBefore: part(2).Add(5 * time.Millisecond)},
		"empty":  {CreatedFrom: begin.AddDate(-1, 0, 0), CreatedBefore: begin.AddDate(-1, 0, 1)},
	} {
		q := Query{EnvironmentID: benchEnv, Filter: of, Order: NewestFirst, Limit: 50, WithoutLarge: true}
		b.Run("page/"+name+" period", func(b *testing.B) {
			took := compare(b, map[string]func(){
				"legacy": func() { b1(s.benchRead(ctx, q, both[:1], nil)) },
				"v2":     func() { b1(s.benchRead(ctx, q, both[1:], nil)) },
				"merged": func() { b1(s.benchRead(ctx, q, both[:], nil)) },
			})
			turns := median(took["legacy"]) + median(took["v2"])
			if b.N >= 100 && median(took["merged"]) > turns {
				b.Errorf("both tables at once take %v, and one after the other %v", median(took["merged"]), turns)
			}
		})
	}
}
