package embedded

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// TestSnapshotFails: a snapshot that cannot be kept is a 503, is told to the log
// without a row of it, and leaves nothing; the next one may succeed.
func TestSnapshotFails(t *testing.T) {
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), "not made yet")
	b := newBench(t, Config{SnapshotMemory: 1, TempDir: dir, Logger: zerolog.New(&log)})
	b.exec(addRun, "secret-run", "secret-env", []string{"x"})
	got := b.get(tagFeed("secret-env"))
	if got.status != http.StatusServiceUnavailable || got.header.Get("retry-after") != "1" || got.body != `{"message":"Failed to create shape, please retry"}` {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if n := len(b.server.all()); n != 0 {
		t.Errorf("%d shapes are left", n)
	}
	if text := log.String(); !strings.Contains(text, "a snapshot failed") || !strings.Contains(text, "not made yet") || strings.Contains(text, "secret") {
		t.Errorf("the log says %s", text)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := b.get(tagFeed("secret-env")); got.status != 200 || got.summary(t) != "insert secret-run, snapshot-end" {
		t.Errorf("then: %d %s", got.status, got.body)
	}
}

// TestOverwhelmed: when more is written than can be kept until a snapshot is there,
// its shape is given up with a 503, and made at the next request.
func TestOverwhelmed(t *testing.T) {
	b := newBench(t, Config{MemoryBytes: 200_000})
	tx, err := b.connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var xid uint32
	if err := tx.QueryRow(t.Context(), `SELECT pg_current_xact_id()::xid`).Scan(&xid); err != nil {
		t.Fatal(err)
	}
	// As if it had been read from the log: snapshots wait until they see it.
	(&follower{server: b.server}).Begin(replication.Transaction{XID: xid, CommitLSN: 1})
	held := b.hold("new", wideFeed("env"))
	index := b.server.tables[replication.Table{Schema: "public", Name: "TaskRun"}]
	registered := func() bool {
		b.server.mu.RLock()
		defer b.server.mu.RUnlock()
		return len(index.shapes) == 1
	}
	for deadline := time.Now().Add(patience); !registered(); {
		if time.Now().After(deadline) {
			t.Fatal("the shape does not come")
		}
		b.exec(`SELECT pg_logical_emit_message(true, 'tick', 't')`)
	}
	const rows = 60
	b.exec(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt")
		SELECT 'r' || i, 'run_' || i, 't', repeat('p', 3000), '', '', 'env', 'p', 'q', '2026-08-21' FROM generate_series(1, $1) i`, rows)
	got := b.answer(held)
	if got.status != http.StatusServiceUnavailable || got.header.Get("retry-after") != "5" || !strings.Contains(got.body, "more was written to the table than can be kept") {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if used := b.server.ledger.memory.Load(); used != 0 {
		t.Errorf("%d bytes are left", used)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.get(wideFeed("env")); got.status != 200 || strings.Count(got.body, `"insert"`) != rows {
		t.Errorf("then: %d, %d rows", got.status, strings.Count(got.body, `"insert"`))
	}
}

// TestCutInsideATransaction: when the connection ends in the middle of a large
// transaction, of which they have something, held readers get it later, whole and
// once.
func TestCutInsideATransaction(t *testing.T) {
	b := newBench(t, Config{})
	b.get(tagFeed("late"))
	late := b.server.all()[0]
	all := b.subscribe(t, manyFeeds()...)
	b.converge(t, 0, all, "before", "x", "y") // the first change of a connection concerns everybody
	late.mu.Lock()                            // the server comes as far as the run that it selects
	before := b.server.ledger.memory.Load()
	// More than the buffers between Postgres and the server can hold.
	b.write(`INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags")
		SELECT 'r' || i, 'run_' || i, 't', repeat('p', 8000), '', '', CASE WHEN i < 10 THEN 'env' WHEN i = 10 THEN 'late' ELSE 'elsewhere' END, 'p', 'q', '2026-08-21', '{x,y}'
		FROM generate_series(1, 6000) i`)
	for deadline := time.Now().Add(patience); b.server.ledger.memory.Load() == before; {
		if time.Now().After(deadline) {
			t.Fatal("the transaction is not read")
		}
		b.write(`SELECT pg_sleep(0.01)`)
	}
	b.write(`SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1`, b.server.cfg.Slot)
	late.mu.Unlock()
	b.converge(t, 0, all, "last", "x", "y")
}

// TestForeignChanges: changes of a table that somebody else has published, and
// messages in the log, are nobody's.
func TestForeignChanges(t *testing.T) {
	b := newBench(t, Config{})
	snap := b.get(tagFeed("env"))
	held := b.hold("held", with(tagFeed("env"), "handle", snap.handle(), "offset", "0_inf", "live", "true"))
	b.exec(`CREATE TABLE other (id int PRIMARY KEY, "runtimeEnvironmentId" text)`)
	b.exec(`ALTER TABLE other REPLICA IDENTITY FULL`)
	b.exec(`ALTER PUBLICATION ` + b.server.cfg.Slot + ` ADD TABLE other`)
	b.exec(`INSERT INTO other VALUES (1, 'env')`)
	b.exec(`SELECT pg_logical_emit_message(true, 'a', 'b')`)
	b.exec(addRun, "a", "env", []string{})
	if got := b.answer(held); got.status != 200 || got.summary(t) != "insert a, up-to-date" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestOddRequests: what is no request for a shape is refused in Electric's form.
func TestOddRequests(t *testing.T) {
	b := newBench(t, Config{})
	web := httptest.NewServer(b.server)
	defer web.Close()
	b.client = web.Client()
	for request, want := range map[string]string{
		"POST /v1/shape":                       `400 {"message":"Invalid request","errors":{"method":["POST is not supported by the embedded shape server: use GET"]}}`,
		"PUT /v1/shape":                        "404 Not found",
		"DELETE /v1/shape":                     `405 {"message":"DELETE not allowed"}`,
		"GET /v1/shape?table=%zz":              `400 {"message":"Invalid request","errors":{"query":["cannot be decoded"]}}`,
		"GET /v1/shape?offset=-1":              `400 {"message":"Invalid request","errors":{"table":["can't be blank"]}}`,
		"GET /v1/shape?offset=-1&table=a.b.c":  `400 {"message":"Invalid request","errors":{"table":["Invalid relation identifier, too many delimiters: a.b.c"]}}`,
		"GET /v1/shape?offset=-1&table=%22%22": `400 {"message":"Invalid request","errors":{"table":["Invalid zero-length delimited identifier"]}}`,
		"GET /v1%2Fshape":                      "404 Not found",
		"POST /v1/health":                      "404 Not found",
		"GET //v1//health":                     `200 {"status":"active"}`,
		"HEAD /v1/health":                      "200 ",
		"GET /":                                "200 ",
		"POST /":                               "404 Not found",
	} {
		method, target, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, web.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.do(r); got.err != nil || got.text() != want || got.header.Get("electric-server") != serverHeader {
			t.Errorf("%s: %v %s %v", request, got.err, got.text(), got.header)
		}
	}
}
