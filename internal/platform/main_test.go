package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// TestMain lets the property test try few cases in the suite.
func TestMain(m *testing.M) {
	pgtest.FewChecks(20)
	pgtest.Main(m)
}

// world is the API on a database of its own.
type world struct {
	t     testing.TB
	url   string
	api   http.Handler
	db    *pgxpool.Pool
	store *runstore.Store
	demo  schema.Demo
	mint  *runid.Minter
	v2    atomic.Bool // the organization's flag
	lose  atomic.Bool // the answer to the next statement that has the text "lose me" among its arguments
}

// losing is a connection to Postgres that breaks when such a statement has been sent.
type losing struct {
	net.Conn
	w    *world
	lost atomic.Bool
}

func (c *losing) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if bytes.Contains(p, []byte("lose me")) && c.w.lose.CompareAndSwap(true, false) {
		c.lost.Store(true)
	}
	return n, err
}

func (c *losing) Read(p []byte) (int, error) {
	if c.lost.Load() {
		return 0, io.ErrUnexpectedEOF
	}
	return c.Conn.Read(p)
}

// RunTableV2 implements trigger.Flags.
func (w *world) RunTableV2(string) bool { return w.v2.Load() }

func newWorld(t testing.TB, change ...func(*platform.Config)) *world {
	t.Helper()
	w := &world{t: t, mint: runid.NewMinter(runid.MinterConfig{})}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pool, err := pgxpool.ParseConfig(pgtest.Database(t))
	must()
	dial := pool.ConnConfig.DialFunc
	pool.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &losing{Conn: conn, w: w}, err
	}
	w.db, err = pgxpool.NewWithConfig(t.Context(), pool)
	must()
	t.Cleanup(w.db.Close)
	w.demo, err = schema.SeedDemo(t.Context(), w.db)
	must()
	w.store, err = runstore.New(runstore.Config{Primary: w.db})
	must()
	service, err := trigger.New(trigger.Config{Store: w.store, Flags: w})
	must()
	directory := auth.NewPostgresDirectory(w.db)
	who, err := auth.NewAuthenticator(auth.Config{Directory: directory})
	must()
	config := platform.Config{Auth: who, Directory: directory, Store: w.store, Trigger: service}
	for _, c := range change {
		c(&config)
	}
	api, err := platform.New(config)
	must()
	r := chi.NewRouter()
	r.Mount("/api", api)
	w.api = r
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

// into reads an answer's JSON, which must be of a status.
func (r reply) into(t testing.TB, status int, v any) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d instead of %d: %s", r.status, status, r.body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

// call sends a request with the environment's key, unless headers (name, value, ...)
// have another. A body that is no text or bytes is sent as JSON.
func (w *world) call(method, path string, body any, headers ...string) reply {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.demo.APIKey)
	r.Header.Set("X-Trigger-Api-Version", "2025-07-16")
	if strings.HasSuffix(path, "/items") {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

type object = map[string]any

// trigger makes a run and gives its friendly id.
func (w *world) trigger(task string, options object) string {
	w.t.Helper()
	if options == nil {
		options = object{}
	}
	var made struct{ ID string }
	w.call(http.MethodPost, "/api/v1/tasks/"+url.PathEscape(task)+"/trigger", object{"payload": object{"n": 1}, "options": options}).into(w.t, http.StatusOK, &made)
	return made.ID
}

// token is a public token with scopes.
func (w *world) token(t auth.Token) string {
	w.t.Helper()
	now := time.Now()
	t.EnvironmentID, t.IssuedAt, t.Expires = w.demo.EnvironmentID, now, now.Add(time.Hour)
	token, err := auth.Sign(auth.Key(w.demo.APIKey), t)
	if err != nil {
		w.t.Fatal(err)
	}
	return "Bearer " + token
}

// exec changes the database behind the API's back.
func (w *world) exec(sql string) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatal(err)
	}
}

// rows counts what is written.
func (w *world) rows() (n int) {
	w.t.Helper()
	err := w.db.QueryRow(w.t.Context(), `
		SELECT (SELECT count(*) FROM "TaskRun") + (SELECT count(*) FROM task_run_v2) + (SELECT count(*) FROM "BatchTaskRun")`).Scan(&n)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
