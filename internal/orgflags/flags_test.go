package orgflags_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// counter counts statements.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func connect(t *testing.T, url string) (*pgxpool.Pool, *counter) {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	config.ConnConfig.Tracer = c
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, c
}

func open(t *testing.T, pool *pgxpool.Pool, period time.Duration) *orgflags.Flags {
	t.Helper()
	f, err := orgflags.Open(t.Context(), orgflags.Config{Pool: pool, Period: period})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func organization(t *testing.T, pool *pgxpool.Pool, id string, flags any) {
	t.Helper()
	exec(t, pool, `INSERT INTO "Organization" (id, slug, title, "featureFlags") VALUES ($1, $1, $1, $2::text::jsonb)`, id, flags)
}

// becomes waits until the flag is so.
func becomes(t *testing.T, f *orgflags.Flags, id string, want bool) {
	t.Helper()
	patience := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for f.RunTableV2(id) != want {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%s is still %v", id, !want)
		}
	}
}

// never is a period that does not pass in a test.
const never = time.Hour

// What turns the flag on, and what does not; and to ask costs no query.
func TestWhatIsOn(t *testing.T) {
	url := pgtest.Database(t)
	pool, _ := connect(t, url)
	want := map[string]bool{"nobody": false}
	for flags, on := range map[any]bool{
		nil: false, `{}`: false, `{"runTableV2": true}`: true, `{"runTableV2": false}`: false, `{"runTableV2": "true"}`: false, `{"runTableV2": 1}`: false,
		`{"runTableV2": null}`: false, `{"a": {"runTableV2": true}}`: false, `{"mollifierEnabled": true, "runTableV2": true}`: true,
		`["runTableV2", true]`: false, `true`: false, `null`: false, `{"runtablev2": true}`: false,
	} {
		id := fmt.Sprint("org ", len(want))
		organization(t, pool, id, flags)
		want[id] = on
	}
	exec(t, pool, `INSERT INTO "FeatureFlag" (id, key, value) VALUES ('f', 'runTableV2', 'true')`)
	own, asked := connect(t, url)
	f := open(t, own, never)
	for range 1000 {
		for id, on := range want {
			if f.RunTableV2(id) != on {
				t.Fatalf("%s is %v", id, !on)
			}
		}
	}
	if n := asked.n.Load(); n > 3 { // read at the start, listen, and read again
		t.Errorf("%d statements", n)
	}
	for id, on := range want {
		state, err := f.Get(t.Context(), id)
		if id == "nobody" {
			if !errors.Is(err, orgflags.ErrUnknown) {
				t.Errorf("%s: %v", id, err)
			}
		} else if err != nil || state.On != on {
			t.Errorf("%s: %+v, %v", id, state, err)
		}
	}
	if value, err := f.Global(t.Context()); err != nil || string(value) != "true" {
		t.Errorf("the global value is %s, %v", value, err)
	}
}

// Who sets a flag knows at once; other instances are told; other flags stay.
func TestSet(t *testing.T) {
	url := pgtest.Database(t)
	pool, _ := connect(t, url)
	for i, flags := range []any{nil, `{}`, `{"a": [1, "x"], "runTableV2": "yes"}`, `"nonsense"`} {
		organization(t, pool, fmt.Sprint("org", i), flags)
	}
	other, _ := connect(t, url)
	ours, theirs := open(t, pool, never), open(t, other, never)
	for i, want := range []string{`{"runTableV2": %v}`, `{"runTableV2": %v}`, `{"a": [1, "x"], "runTableV2": %v}`, `{"runTableV2": %v}`} {
		id := fmt.Sprint("org", i)
		for _, on := range []bool{true, false, false, true} {
			if err := ours.Set(t.Context(), id, on); err != nil {
				t.Fatal(err)
			}
			if ours.RunTableV2(id) != on {
				t.Errorf("%s was set to %v, and is not", id, on)
			}
			becomes(t, theirs, id, on)
			var stored json.RawMessage
			if err := pool.QueryRow(t.Context(), `SELECT "featureFlags" FROM "Organization" WHERE id = $1`, id).Scan(&stored); err != nil {
				t.Fatal(err)
			}
			if string(stored) != fmt.Sprintf(want, on) {
				t.Errorf("%s has %s", id, stored)
			}
		}
	}
	if err := ours.Set(t.Context(), "nobody", true); !errors.Is(err, orgflags.ErrUnknown) {
		t.Errorf("of nobody: %v", err)
	}
	if value, err := ours.Global(t.Context()); value != nil || err != nil {
		t.Errorf("the global value is %s, %v", value, err)
	}
}

// The platform writes flags and tells nobody: the period finds them, new
// organizations too.
func TestThePlatformWrites(t *testing.T) {
	pool, _ := connect(t, pgtest.Database(t))
	f := open(t, pool, 20*time.Millisecond)
	organization(t, pool, "new", `{"runTableV2": true}`)
	becomes(t, f, "new", true)
	exec(t, pool, `UPDATE "Organization" SET "featureFlags" = NULL`)
	becomes(t, f, "new", false)
	exec(t, pool, `UPDATE "Organization" SET "featureFlags" = '{"runTableV2": true}'`)
	becomes(t, f, "new", true)
	exec(t, pool, `DELETE FROM "Organization"`)
	becomes(t, f, "new", false)
}

// A connection that is lost is made again, and what was missed is read.
func TestConnectionLost(t *testing.T) {
	url := pgtest.Database(t)
	pool, _ := connect(t, url)
	organization(t, pool, "org", nil)
	other, _ := connect(t, url)
	f := open(t, other, never)
	listener := func() (pid int) {
		t.Helper()
		patience := time.After(30 * time.Second)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			err := pool.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' AND wait_event = 'ClientRead' AND query LIKE '%"Organization"%' AND pid <> pg_backend_pid()`).Scan(&pid)
			if err == nil {
				return pid
			}
			select {
			case <-tick.C:
			case <-patience:
				t.Fatal("nobody listens: ", err)
			}
		}
	}
	for _, on := range []bool{true, false} {
		exec(t, pool, `SELECT pg_terminate_backend($1, 10000)`, listener())
		exec(t, pool, `UPDATE "Organization" SET "featureFlags" = jsonb_build_object('runTableV2', $1::boolean)`, on) // and nobody is told
		becomes(t, f, "org", on)
	}
}

// A database that cannot be read is said at the start.
func TestNoDatabase(t *testing.T) {
	pool, _ := connect(t, pgtest.Empty(t))
	if _, err := orgflags.Open(t.Context(), orgflags.Config{Pool: pool}); err == nil {
		t.Error("without tables it was opened")
	}
	if _, err := orgflags.Open(t.Context(), orgflags.Config{}); err == nil {
		t.Error("without a pool it was opened")
	}
}
