package runstore

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// benchAsked counts the statements of a benchmark's pool, and those that name each
// table.
type benchAsked struct {
	statements atomic.Int64
	named      [2]atomic.Int64 // by runid.Table
}

func (a *benchAsked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	a.statements.Add(1)
	for _, t := range runid.Tables() {
		if strings.Contains(q.SQL, "public."+t.SQL()) {
			a.named[t].Add(1)
		}
	}
	return ctx
}

func (*benchAsked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// benchFinds measures what is found by its id, which is one statement and one table,
// and a run's relatives and a batch's runs, which are one statement over both.
func (s *Store) benchFinds(b *testing.B, asked *benchAsked, some [2]Run) {
	ctx := context.Background()
	for _, t := range runid.Tables() {
		run := some[t]
		friendly := b1(runid.ParseRun(run.FriendlyID))
		for name, find := range map[string]func(){
			"FindByID":            func() { b1(s.FindByID(ctx, run.Key())) },
			"FindByFriendlyID":    func() { b1(s.FindByFriendlyID(ctx, benchEnv, friendly)) },
			"FindRefByFriendlyID": func() { b1(s.FindRefByFriendlyID(ctx, benchEnv, friendly)) },
		} {
			b.Run("by id/"+name+"/"+t.String(), func(b *testing.B) {
				counted(b, asked, find, func(home, other int64) bool { return home == 1 && other == 0 }, t)
			})
		}
	}
	// A parent, which is in v2, has nine children in each table, of which eight are in its environment.
	// A batch has 50 runs in each, of which 45 are.
	parent := b1(s.FindByID(ctx, Key{benchEnv, b1(s.one(ctx, "SELECT "+benchID(runid.V2, "$1"), fmt.Sprint(benchRows/2)))}))
	named := b1(s.one(ctx, `SELECT string_agg("friendlyId", ' ') FROM task_run_v2 WHERE "batchId" = $1 AND "runtimeEnvironmentId" = $2`, benchBatch, benchEnv))
	batch := Batch{ID: benchBatch, EnvironmentID: benchEnv, RunIDs: strings.Fields(named)}
	many := func(n, want int) {
		if n != want {
			panic(fmt.Sprintf("%d runs, and not %d", n, want))
		}
	}
	for name, find := range map[string]func(){
		"FindFamily":    func() { many(len(b1(s.FindFamily(ctx, parent)).Children), 16) },
		"FindChildren":  func() { many(len(b1(s.FindChildren(ctx, benchEnv, []string{parent.ID}))), 16) },
		"FindBatchRuns": func() { many(len(b1(s.FindBatchRuns(ctx, batch))), 90) },
	} {
		b.Run("relatives/"+name, func(b *testing.B) {
			counted(b, asked, find, func(home, other int64) bool { return home == 1 && other == 1 }, runid.V2)
		})
	}
}

// counted measures something, and holds it to one statement that names the tables as
// it should.
func counted(b *testing.B, asked *benchAsked, do func(), right func(home, other int64) bool, home runid.Table) {
	statements, at, other := asked.statements.Load(), asked.named[home].Load(), asked.named[1-home].Load()
	do()
	if asked.statements.Load()-statements != 1 || !right(asked.named[home].Load()-at, asked.named[1-home].Load()-other) {
		b.Errorf("it took %d statements, of which %d named the run's table and %d the other",
			asked.statements.Load()-statements, asked.named[home].Load()-at, asked.named[1-home].Load()-other)
	}
	compare(b, map[string]func(){"one": do})
}

func (s *Store) one(ctx context.Context, sql string, args ...any) (text string, err error) {
	err = s.primary.QueryRow(ctx, sql, args...).Scan(&text)
	return text, err
}
