package platform_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// Who asks for a list that Postgres takes too long for is told so, and how to ask for
// less, and not to try again. A locked table is what makes it slow.
func TestASlowList(t *testing.T) {
	var config platform.Config
	w := newWorld(t, func(c *platform.Config) { config = *c })
	only := w.db.Config()
	only.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store, err := runstore.New(runstore.Config{Primary: pool, ListTime: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	config.Store = store
	api, err := platform.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	r.Mount("/api", api)
	server := httptest.NewServer(r)
	defer server.Close()
	w.url = server.URL

	// Once, so that the statement is known to the connection: to be told of it waits for
	// the table as well, outside of the list's time.
	if got := w.call(http.MethodGet, "/api/v1/runs?filter[status]=FAILED", nil); got.status != http.StatusOK {
		t.Fatalf("the answer is %d, %s", got.status, got.body)
	}
	err = pgx.BeginFunc(t.Context(), w.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `LOCK TABLE "TaskRun" IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		got := w.call(http.MethodGet, "/api/v1/runs?filter[status]=FAILED", nil)
		if got.status != http.StatusServiceUnavailable || got.header.Get("X-Should-Retry") != "false" || !strings.Contains(got.body, "filter[createdAt]") {
			t.Errorf("the answer is %d, %v, %s", got.status, got.header, got.body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.call(http.MethodGet, "/api/v1/runs?filter[status]=FAILED", nil); got.status != http.StatusOK {
		t.Errorf("when the table is free, the answer is %d, %s", got.status, got.body)
	}
}
