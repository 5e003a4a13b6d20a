package runstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// TestMain lets the property tests try few cases in the suite. make soak-store
// asks for many.
func TestMain(m *testing.M) {
	pgtest.FewChecks(20)
	pgtest.Main(m)
}

// The tests' environments: ours, and another tenant's.
const (
	env   = "env_ours"
	other = "env_theirs"
)

// asked remembers the statements that a pool ran.
type asked struct {
	mu      sync.Mutex
	sql     []string
	bounded bool // one of them had a bound of time
}

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sql = append(a.sql, q.SQL)
	return ctx
}

func (a *asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (a *asked) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery leaves out the settings that go together with a list.
func (a *asked) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if strings.HasPrefix(q.SQL, "SELECT set_config(") {
		a.bounded = strings.Contains(q.SQL, "'statement_timeout'")
		return
	}
	a.sql = append(a.sql, q.SQL)
}

func (a *asked) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// take gives the statements since the last take.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	sql := a.sql
	a.sql, a.bounded = nil, false
	return sql
}

// bound says whether what was asked since the last take had a bound of time.
func (a *asked) bound() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bounded
}

func newPool(t *testing.T, url string) (*pgxpool.Pool, *asked) {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	a := &asked{}
	config.ConnConfig.Tracer = a
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, a
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// tick moves the clock on and gives the new time.
func (c *clock) tick() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Second)
	return c.at
}

// fixture is a store on a database of its own.
type fixture struct {
	store *runstore.Store
	pool  *pgxpool.Pool
	asked *asked
	clock *clock
	mint  *runid.Minter
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	return fixtureAt(t, pgtest.Database(t))
}

// newFixtureAt is a fixture on a database made with these options.
func newFixtureAt(t *testing.T, options string) fixture {
	t.Helper()
	url := pgtest.With(t, options)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Migrate(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return fixtureAt(t, url)
}

func fixtureAt(t *testing.T, url string) fixture {
	t.Helper()
	pool, a := newPool(t, url)
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC)}
	store, err := runstore.New(runstore.Config{Primary: pool, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return fixture{store, pool, a, c, runid.NewMinter(runid.MinterConfig{})}
}

// eachTable runs a test against both tables.
func eachTable(t *testing.T, test func(t *testing.T, f fixture, table runid.Table)) {
	eachCollation(t, func(t *testing.T, f fixture) {
		for _, table := range runid.Tables() {
			t.Run(table.String(), func(t *testing.T) { test(t, f, table) })
		}
	})
}

func (f fixture) newRun(table runid.Table) runstore.NewRun {
	return runstore.NewRun{
		ID: f.mint.Mint(table), EnvironmentID: env, ProjectID: "proj", TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s",
	}
}

func (f fixture) create(t *testing.T, r runstore.NewRun) runstore.Run {
	t.Helper()
	run, err := f.store.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// read reads a run anew.
func (f fixture) read(t *testing.T, run runstore.Run) runstore.Run {
	t.Helper()
	found, err := f.store.FindByFriendlyID(t.Context(), env, friendly(t, run.FriendlyID))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func friendly(t *testing.T, s string) runid.Friendly {
	t.Helper()
	id, err := runid.ParseRun(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ptr[T any](v T) *T { return &v }
