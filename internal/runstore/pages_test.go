package runstore_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// walk reads a list page by page, forwards and then back again.
func (c contract) walk(t *testing.T, q runstore.Query) (forth, back []string) {
	t.Helper()
	var last runstore.Page
	for n := 0; ; n++ {
		c.asked.take()
		page, err := c.store.FindPage(t.Context(), q)
		if err != nil || n > 1000 {
			t.Fatal(n, err)
		}
		if sql := c.asked.take(); len(sql) != 1 {
			t.Fatalf("a page took %d queries", len(sql))
		}
		if (page.Previous == "") != (n == 0) {
			t.Errorf("page %d has the previous place %q", n, page.Previous)
		}
		forth = append(forth, idsOf(page.Runs)...)
		last = page
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	back = idsOf(last.Runs)
	for q.After, q.Before = "", last.Previous; q.Before != ""; {
		page, err := c.store.FindPage(t.Context(), q)
		if err != nil || page.Next == "" {
			t.Fatal(page.Next, err)
		}
		back = append(idsOf(page.Runs), back...)
		q.Before = page.Previous
	}
	return forth, back
}

func TestPages(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(20, t, func(i int, r *runstore.NewRun) { r.CreatedAt = at(i / 7) }) // seven at a time in one millisecond
		c.make(t, func(r *runstore.NewRun) { r.EnvironmentID, r.CreatedAt = c.other, at(1) })
		slices.SortFunc(runs, func(a, b runstore.Run) int {
			if d := a.CreatedAt.Compare(b.CreatedAt); d != 0 {
				return d
			}
			return strings.Compare(a.ID, b.ID)
		})
		oldest := idsOf(runs)
		slices.Reverse(runs)
		for order, want := range map[runstore.Order][]string{runstore.NewestFirst: idsOf(runs), runstore.OldestFirst: oldest} {
			for _, limit := range []int{1, 3, 7, 19, 20, 21} {
				forth, back := c.walk(t, runstore.Query{EnvironmentID: c.env, Order: order, Limit: limit, WithoutLarge: true})
				if !slices.Equal(forth, want) || !slices.Equal(back, want) {
					t.Errorf("order %d, %d at a time:\n forth %v\n  back %v\n  want %v", order, limit, forth, back, want)
				}
			}
			some, err := c.store.FindMany(t.Context(), runstore.Query{EnvironmentID: c.env, Order: order, Limit: 5})
			if err != nil || !slices.Equal(idsOf(some), want[:5]) {
				t.Errorf("the first five are %v, %v", idsOf(some), err)
			}
		}
	})
}

// Runs of one millisecond, with ids of both formats, are in the order of their ids'
// bytes, whatever a database takes to be the order of texts.
func TestPagesOfOneMillisecond(t *testing.T) {
	eachCollation(t, func(t *testing.T, f fixture) {
		ids := []string{"a-1", "A-1", "b-1", "B-1", "a1", "A1", "z", "Z"} // of "TaskRun"
		for _, letter := range []string{"a", "A", "b", "B", "z", "Z"} {
			id := f.mint.Mint(runid.V2)
			ids = append(ids, "1"+letter+id[2:], "0"+letter+id[2:])
		}
		for _, id := range ids {
			r := f.newRun(runid.Legacy)
			r.ID, r.CreatedAt = id, at(0)
			f.create(t, r)
		}
		var byDatabase []string
		err := f.pool.QueryRow(t.Context(), `SELECT array_agg(id ORDER BY id) FROM unnest($1::text[]) id`, ids).Scan(&byDatabase)
		if err != nil {
			t.Fatal(err)
		}
		want := sorted(ids)
		if same, inC := slices.Equal(byDatabase, want), strings.HasSuffix(t.Name(), "/C"); same != inC {
			t.Fatalf("the database has the order of the bytes: %v", same)
		}
		c := contract{fixture: f, env: env}
		for _, order := range []runstore.Order{runstore.OldestFirst, runstore.NewestFirst} {
			for limit := 1; limit <= 7; limit++ {
				forth, back := c.walk(t, runstore.Query{EnvironmentID: env, Order: order, Limit: limit})
				if !slices.Equal(forth, want) || !slices.Equal(back, want) {
					t.Errorf("order %d, %d at a time:\n forth %v\n  back %v\n  want %v", order, limit, forth, back, want)
				}
			}
			slices.Reverse(want)
		}
	})
}

func TestWithoutLarge(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		want := c.make(t, func(r *runstore.NewRun) {
			r.Payload, r.Metadata, r.Context, r.TraceContext = "{}", ptr("{}"), []byte("{}"), []byte("{}")
		})
		page, err := c.store.FindPage(t.Context(), runstore.Query{EnvironmentID: c.env, Order: runstore.NewestFirst, Limit: 1, WithoutLarge: true})
		if err != nil {
			t.Fatal(err)
		}
		want.Payload, want.SeedMetadata, want.Context, want.TraceContext = "", nil, nil, nil
		if diff := cmp.Diff([]runstore.Run{want}, page.Runs); diff != "" {
			t.Error(diff)
		}
		if page.Next != "" || page.Previous != "" {
			t.Errorf("the only page has others: %+v", page)
		}
	})
}

// A place in another list, or one that was tampered with, is refused and not
// guessed at.
func TestPlaces(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		c.many(3, t, func(int, *runstore.NewRun) {})
		q := runstore.Query{EnvironmentID: c.env, Order: runstore.NewestFirst, Limit: 2}
		page, err := c.store.FindPage(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		good := page.Next
		bytes, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(name, place string, change func(*runstore.Query)) {
			t.Helper()
			for _, before := range []bool{false, true} {
				q := q
				change(&q)
				q.After = place
				if before {
					q.After, q.Before = "", place
				}
				_, err := c.store.FindPage(t.Context(), q)
				var refusal *runstore.PlaceError
				if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "first page") || strings.Contains(err.Error(), place) {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := c.store.FindMany(t.Context(), q); !errors.As(err, &refusal) {
					t.Errorf("%s: find many: %v", name, err)
				}
			}
		}
		same := func(*runstore.Query) {}
		refused("another environment", good, func(q *runstore.Query) { q.EnvironmentID = c.other })
		refused("another environment, as long", good, func(q *runstore.Query) { q.EnvironmentID = "x" + q.EnvironmentID[1:] })
		refused("another order", good, func(q *runstore.Query) { q.Order = runstore.OldestFirst })
		for i := range bytes {
			edited := slices.Clone(bytes)
			edited[i] ^= 1
			refused("an edited byte", base64.RawURLEncoding.EncodeToString(edited), same)
			// A place that ends with a zero is whole again with that A.
			if cut := base64.RawURLEncoding.EncodeToString(bytes[:i]) + "A"; cut != good {
				refused("cut", cut, same)
			}
		}
		for _, s := range []string{"   ", "run_abc", "MQ==", good + "=", good + "\x00", good + good, strings.Repeat("A", 100_000), "ü"} {
			refused("what is no place", s, same)
		}
		q.After, q.Filter.IsTest = good, new(bool) // another filter has the place as well
		if page, err := c.store.FindPage(t.Context(), q); err != nil || len(page.Runs) != 1 {
			t.Errorf("with another filter: %d, %v", len(page.Runs), err)
		}
	})
}

// What has no right answer over two tables is an error; over one it may have one.
func TestSpanning(t *testing.T) {
	eachPlacement(t, func(t *testing.T, c contract) {
		runs := c.many(3, t, func(i int, r *runstore.NewRun) { r.Number = int32(i) })
		one := runs[:1]
		for _, run := range runs[1:] {
			if run.Table() == runs[0].Table() {
				one = append(one, run)
			}
		}
		apart := runstore.Filter{IDs: idsOf(one)}
		type query = runstore.Query
		for name, q := range map[string]query{
			"offset":    {Order: runstore.NewestFirst, Limit: 1, Offset: 1},
			"number":    {Order: runstore.HighestNumberFirst, Limit: 1},
			"updated":   {Order: runstore.LastUpdatedFirst},
			"negative":  {Order: runstore.NewestFirst, Limit: -1},
			"unordered": {Limit: 1},
		} {
			q.EnvironmentID = c.env
			var span *runstore.SpanError
			var invalid *runstore.InvalidError
			if _, err := c.store.FindMany(t.Context(), q); !errors.As(err, &span) || !strings.Contains(err.Error(), "cannot span the two run tables") {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := c.store.FindPage(t.Context(), q); !errors.As(err, &span) && !errors.As(err, &invalid) {
				t.Errorf("a page: %s: %v", name, err)
			}
			q.Filter = apart
			_, err := c.store.FindMany(t.Context(), q)
			if wrong := name == "negative"; wrong != errors.As(err, &invalid) || !wrong && err != nil {
				t.Errorf("of one table: %s: %v", name, err)
			}
		}
		numbered, err := c.store.FindMany(t.Context(), query{EnvironmentID: c.env, Filter: apart, Order: runstore.HighestNumberFirst, Offset: 1})
		slices.Reverse(one)
		if err != nil || !slices.Equal(idsOf(numbered), idsOf(one[1:])) {
			t.Errorf("by number, but for the first: %v, %v", idsOf(numbered), err)
		}
	})
}

func TestRefusedQueries(t *testing.T) {
	f := newFixture(t)
	batch, err := runid.ParseBatch("batch_a")
	if err != nil {
		t.Fatal(err)
	}
	filters := map[string]runstore.Filter{
		"a status": {Statuses: []runstore.Status{"DONE"}}, "a batch": {FriendlyIDs: []runid.Friendly{batch}}, "nobody": {FriendlyIDs: []runid.Friendly{{}}},
	}
	queries := map[string]runstore.Query{
		"no environment": {Order: runstore.NewestFirst, Limit: 1},
		"no such order":  {EnvironmentID: env, Order: 99, Limit: 1},
		"a bad offset":   {EnvironmentID: env, Order: runstore.NewestFirst, Limit: 1, Offset: -1},
		"both places":    {EnvironmentID: env, Order: runstore.NewestFirst, Limit: 1, After: "a", Before: "b"},
		"an order":       {EnvironmentID: env, Order: runstore.LastUpdatedFirst, Limit: 1, After: "a"},
		"place, offset":  {EnvironmentID: env, Order: runstore.NewestFirst, Limit: 1, After: "a", Offset: 1},
		"before, all":    {EnvironmentID: env, Order: runstore.NewestFirst, Before: "a"},
	}
	for name, filter := range filters {
		queries[name] = runstore.Query{EnvironmentID: env, Filter: filter, Order: runstore.NewestFirst, Limit: 1}
		if _, err := f.store.Count(t.Context(), env, filter); err == nil {
			t.Errorf("%s was counted", name)
		}
	}
	f.asked.take()
	var invalid *runstore.InvalidError
	for name, q := range queries {
		if _, err := f.store.FindMany(t.Context(), q); !errors.As(err, &invalid) {
			t.Errorf("find: %s: %v", name, err)
		}
		if _, err := f.store.FindPage(t.Context(), q); !errors.As(err, &invalid) {
			t.Errorf("page: %s: %v", name, err)
		}
	}
	for name, q := range map[string]runstore.Query{
		"no limit": {EnvironmentID: env, Order: runstore.NewestFirst}, "a large limit": {EnvironmentID: env, Order: runstore.NewestFirst, Limit: runstore.MaxPage + 1},
		"no order": {EnvironmentID: env, Limit: 1},
	} {
		if _, err := f.store.FindPage(t.Context(), q); !errors.As(err, &invalid) {
			t.Errorf("page: %s: %v", name, err)
		}
	}
	if sql := f.asked.take(); len(sql) != 0 {
		t.Errorf("the database was asked %q", sql)
	}
}
