package faults

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

const (
	tags    = 6
	pairs   = 3 // feeds with two tags
	batches = 2
	alone   = 4   // runs of each table with a feed of their own
	runs    = 12  // of each table, in those feeds
	large   = 200 // of each table, in a feed of their own that is streamed: 800 KB
	pad     = 4 << 10
)

// feed is one of the 20.
type feed struct {
	name  string // as the drivers of npm clients call it
	kind  string // tag, batch or run
	path  string
	query url.Values
	where string        // of a SELECT of its runs
	of    []runid.Table // where its runs are
}

// scene is the runs and feeds of a world.
type scene struct {
	*world
	mint *runid.Minter

	mu     sync.Mutex // held while a number is written, so that greater ones are later
	number int        // the last that was written
	every  []string   // ids of the runs, that come first in the order of their tables
	last   []string   // those that turnover made
	batch  []runstore.Batch

	byTag, byPair, byBatch []*feed
	byRun                  map[runid.Table][]*feed
	big                    *feed
}

func newScene(w *world) *scene {
	w.t.Helper()
	s := &scene{world: w, mint: runid.NewMinter(runid.MinterConfig{}), byRun: make(map[runid.Table][]*feed)}
	both := []runid.Table{runid.Legacy, runid.V2}
	ofTags := func(names ...string) *feed {
		return &feed{
			name: strings.Join(names, ","), kind: "tag", path: "/realtime/v1/runs", query: url.Values{"tags": {strings.Join(names, ",")}}, of: both,
			where: fmt.Sprintf(`"runTags" @> '{%s}'`, strings.Join(names, ",")),
		}
	}
	for i := range tags {
		s.byTag = append(s.byTag, ofTags(tag(i)))
	}
	for i := range pairs {
		s.byPair = append(s.byPair, ofTags(tag(2*i), tag(2*i+1)))
	}
	s.big = ofTags("big")
	for range batches {
		b, err := w.store.CreateBatch(w.t.Context(), runstore.NewBatch{ID: s.mint.Mint(runid.Legacy), EnvironmentID: w.demo.EnvironmentID, RunCount: 1})
		if err != nil {
			w.t.Fatal(err)
		}
		s.batch = append(s.batch, b)
		s.byBatch = append(s.byBatch, &feed{
			name: b.FriendlyID, kind: "batch", path: "/realtime/v1/batches/" + b.FriendlyID, query: url.Values{}, of: both,
			where: fmt.Sprintf(`"batchId" = '%s'`, b.ID),
		})
	}
	for _, table := range both {
		for i := range runs {
			names := []string{tag(i % tags)}
			if i >= tags { // half of them have both tags of a pair
				names = append(names, tag(i%tags^1))
			}
			id := s.create(table, i, "{}", names...)
			s.every = append(s.every, id)
			if i < alone {
				friendly := runid.FormatRun(id)
				s.byRun[table] = append(s.byRun[table], &feed{
					name: friendly, kind: "run", path: "/realtime/v1/runs/" + friendly, query: url.Values{}, of: []runid.Table{table},
					where: fmt.Sprintf(`id = '%s'`, id),
				})
			}
		}
		for i := range large {
			s.create(table, i, fmt.Sprintf(`{"pad":%q}`, strings.Repeat("x", pad)), "big")
		}
	}
	return s
}

func tag(i int) string { return fmt.Sprintf("tag-%d", i) }

// feeds are all but the big one.
func (s *scene) feeds() (all []*feed) {
	for _, some := range [][]*feed{s.byTag, s.byPair, s.byBatch, s.byRun[runid.Legacy], s.byRun[runid.V2]} {
		all = append(all, some...)
	}
	return all
}

func (s *scene) create(table runid.Table, i int, payload string, tags ...string) string {
	s.t.Helper()
	id, batch := s.mint.Mint(table), &s.batch[i%batches].ID
	if tags[0] == "big" {
		batch = nil
	}
	_, err := s.store.Create(s.t.Context(), runstore.NewRun{
		ID: id, EnvironmentID: s.demo.EnvironmentID, ProjectID: s.demo.ProjectID, OrganizationID: s.demo.OrganizationID,
		TaskIdentifier: "task", Payload: payload, TraceID: "t", SpanID: "s", Tags: tags, BatchID: batch,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// turnover makes a run in each table that several feeds select, and deletes those that it
// made the last time.
func (s *scene) turnover() {
	s.t.Helper()
	for _, id := range s.last {
		s.exec(`DELETE FROM `+runid.Home(id).SQL()+` WHERE id = $1`, id)
	}
	s.last = nil
	for _, table := range runid.Tables() {
		s.last = append(s.last, s.create(table, 0, "{}", tag(0), tag(1)))
	}
}

func (s *scene) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// stamp writes the next number into all runs of a table but the large ones, in one
// transaction.
func (s *scene) stamp(table runid.Table) int {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	n := s.number
	s.exec(`UPDATE `+table.SQL()+` SET number = $1, metadata = $2, "updatedAt" = now() WHERE NOT "runTags" @> '{big}'`, n, mark(n))
	return n
}

// mark is the number where SDKs show it, which do not give the column.
func mark(n int) string { return fmt.Sprintf(`{"mark":%d}`, n) }

// write goes on writing into runs of both tables until ctx ends, in a transaction over
// both each time.
func (s *scene) write(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := s.writeOnce(i); err != nil {
			return err
		}
	}
}

func (s *scene) writeOnce(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.Begin(s.t.Context())
	if err != nil {
		return err
	}
	for t, table := range runid.Tables() {
		s.number++
		sql := `UPDATE ` + table.SQL() + ` SET number = $1, metadata = $2, "updatedAt" = now() WHERE id = $3`
		if _, err := tx.Exec(s.t.Context(), sql, s.number, mark(s.number), s.every[t*runs+i%runs]); err != nil {
			return err
		}
	}
	return tx.Commit(s.t.Context())
}

// columns are those that are compared, as the protocol gives them.
var columns = []string{"id", "friendlyId", "number", "status", "payload", "metadata", "runTags", "taskIdentifier", "createdAt", "updatedAt"}

// truth is what SELECT says of a feed, by the keys of messages.
func (s *scene) truth(f *feed) map[string]row {
	s.t.Helper()
	out := make(map[string]row)
	for _, table := range f.of {
		maps.Copy(out, s.truthOf(f, table))
	}
	return out
}

func (s *scene) truthOf(f *feed, table runid.Table) map[string]row {
	s.t.Helper()
	var list []string
	for _, c := range columns {
		list = append(list, `"`+c+`"::text`)
	}
	rows, err := s.db.Query(s.t.Context(), `SELECT `+strings.Join(list, ", ")+` FROM `+table.SQL()+` WHERE `+f.where)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	out := make(map[string]row)
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			s.t.Fatal(err)
		}
		r := make(row)
		for i, c := range columns {
			r[c] = values[i]
		}
		out[fmt.Sprintf(`%s/"%s"`, prefix(table), values[0])] = r
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// prefix begins the keys of a table's messages.
func prefix(table runid.Table) string { return `"public"."` + table.Name() + `"` }
