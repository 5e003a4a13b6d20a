package trigger_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// TestMain lets the property test try few cases in the suite.
func TestMain(m *testing.M) {
	pgtest.FewChecks(20)
	redis.SetLogger(quiet{})
	pgtest.Main(m)
}

// quiet takes what the client library says of a Redis that a test has killed.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// The tests' environments: ours, and another tenant's.
var (
	ours   = auth.Environment{ID: "env_ours", ProjectID: "proj_ours", OrganizationID: "org_ours", Type: auth.Production}
	theirs = auth.Environment{ID: "env_theirs", ProjectID: "proj_theirs", OrganizationID: "org_theirs", Type: auth.Production}
)

// turned is an organization's flag that a test turns; all have the same.
type turned struct{ on atomic.Bool }

func (f *turned) RunTableV2(string) bool { return f.on.Load() }

// asked remembers the statements that a pool ran.
type asked struct {
	mu  sync.Mutex
	sql []string
}

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sql = append(a.sql, q.SQL)
	return ctx
}

func (a *asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take gives the statements since the last take.
func (a *asked) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	sql := a.sql
	a.sql = nil
	return sql
}

// fixture is a service on a database of its own.
type fixture struct {
	*trigger.Service
	store *runstore.Store
	pool  *pgxpool.Pool
	asked *asked
	flag  *turned
	mint  *runid.Minter

	claimWait time.Duration // of instances; 0: the default
}

func newFixture(t testing.TB, c claims.Claims) *fixture {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{asked: &asked{}, flag: &turned{}, mint: runid.NewMinter(runid.MinterConfig{})}
	config.MaxConns = 8
	config.ConnConfig.Tracer = f.asked
	if f.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.pool.Close)
	if f.store, err = runstore.New(runstore.Config{Primary: f.pool}); err != nil {
		t.Fatal(err)
	}
	f.Service = f.instance(t, f.flag, c)
	return f
}

// instance is another service on the same database.
func (f *fixture) instance(t testing.TB, flags trigger.Flags, c claims.Claims) *trigger.Service {
	t.Helper()
	s, err := trigger.New(trigger.Config{Store: f.store, Flags: flags, Claims: c, Minter: f.mint, ClaimWait: f.claimWait})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at makes new runs go to a table.
func (f *fixture) at(table runid.Table) *fixture {
	f.flag.on.Store(table == runid.V2)
	return f
}

// request is the least that can be triggered.
func request(change ...func(*trigger.Request)) trigger.Request {
	r := trigger.Request{Environment: ours, Task: "task", Payload: `{"n":1}`}
	for _, c := range change {
		c(&r)
	}
	return r
}

// make triggers a run that has to be new.
func (f *fixture) make(t testing.TB, r trigger.Request) runstore.Run {
	t.Helper()
	got, err := f.Trigger(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got.IsCached || got.Run == nil || got.Run.ID != got.ID || got.Run.FriendlyID != got.FriendlyID {
		t.Fatalf("not a new run: %+v", got)
	}
	return *got.Run
}

// read reads a run anew.
func (f *fixture) read(t testing.TB, run runstore.Run) runstore.Run {
	t.Helper()
	found, err := f.store.FindByID(t.Context(), run.Key())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// run runs a statement.
func (f *fixture) run(t testing.TB, sql string) {
	t.Helper()
	if _, err := f.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// count is how many runs a condition holds for, in both tables.
func (f *fixture) count(t testing.TB, where string, args ...any) (n int) {
	t.Helper()
	err := f.pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM "TaskRun" WHERE `+where+`) + (SELECT count(*) FROM task_run_v2 WHERE `+where+`)`, args...).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eachTable runs a test with new runs in each table.
func eachTable(t *testing.T, test func(t *testing.T, f *fixture, table runid.Table)) {
	f := newFixture(t, nil)
	for _, table := range runid.Tables() {
		t.Run(table.String(), func(t *testing.T) { test(t, f.at(table), table) })
	}
}

func ptr[T any](v T) *T { return &v }
