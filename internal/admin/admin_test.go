package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/admin"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const token = "0123456789abcdef0123456789abcdef"

// desk is a handler on a database with an organization "org".
type desk struct {
	*admin.Handler
	flags *orgflags.Flags
	pool  *pgxpool.Pool
	log   bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `INSERT INTO "Organization" (id, slug, title, "featureFlags") VALUES ('org', 'org', 'Org', '{"a": 1}')`); err != nil {
		t.Fatal(err)
	}
	d := &desk{pool: pool}
	if d.flags, err = orgflags.Open(t.Context(), orgflags.Config{Pool: pool, Period: time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.flags.Close)
	if d.Handler, err = admin.New(admin.Config{Token: token, Flags: d.flags, Log: zerolog.New(&d.log)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) ask(method, path, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

const path = "/admin/v1/orgs/org/run-table-v2"

func TestFlag(t *testing.T) {
	d := newDesk(t)
	check := func(w *httptest.ResponseRecorder, on bool, stored, global string) {
		t.Helper()
		var got struct {
			OrganizationID string
			RunTableV2     bool
			Stored         json.RawMessage
			Global         struct {
				Value    json.RawMessage
				ReadOnly bool
				Note     string
			}
		}
		if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &got) != nil || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
		}
		if got.OrganizationID != "org" || got.RunTableV2 != on || string(got.Stored) != stored || string(got.Global.Value) != global || !got.Global.ReadOnly || got.Global.Note == "" {
			t.Errorf("it says %s", w.Body)
		}
		if d.flags.RunTableV2("org") != on {
			t.Errorf("new runs go elsewhere than %s", w.Body)
		}
	}
	check(d.ask("GET", path, "Bearer "+token, ""), false, "null", "null")
	if strings.Contains(d.log.String(), "runTableV2") {
		t.Errorf("a look is in the log: %s", d.log.String())
	}
	for _, on := range []bool{true, true, false} {
		check(d.ask("PUT", path, "Bearer "+token, fmt.Sprintf(`{"runTableV2": %v}`, on)), on, fmt.Sprint(on), "null")
	}
	if n := strings.Count(d.log.String(), `"the flag runTableV2 was set"`); n != 3 || !strings.Contains(d.log.String(), `"organization":"org","was":true,"is":false,"remote":"192.0.2.1:1234"`) {
		t.Errorf("the log is\n%s", d.log.String())
	}
	if _, err := d.pool.Exec(t.Context(), `INSERT INTO "FeatureFlag" (id, key, value) VALUES ('f', 'runTableV2', 'true')`); err != nil {
		t.Fatal(err)
	}
	check(d.ask("GET", path, "Bearer "+token, ""), false, "false", "true")
}

// Without the token there is one answer to everything, and nothing is done.
func TestNoEntrance(t *testing.T) {
	d := newDesk(t)
	for _, authorization := range []string{
		"", "Bearer ", "Bearer", "bearer " + token, token, "Basic " + token, "Bearer " + token[:31], "Bearer " + token + "0", "Bearer  " + token, "Bearer " + strings.ToUpper(token),
		"Bearer " + strings.Repeat("a", 100_000),
	} {
		for _, at := range [][2]string{{"GET", path}, {"PUT", path}, {"DELETE", path}, {"GET", "/admin/v1/nothing"}, {"GET", "/admin/v1//orgs/x"}} {
			w := d.ask(at[0], at[1], authorization, `{"runTableV2": true}`)
			if w.Code != http.StatusUnauthorized || w.Body.String() != `{"error":"Invalid or Missing admin token"}` {
				t.Errorf("%.50q %v: %d %s", authorization, at, w.Code, w.Body)
			}
		}
	}
	if d.flags.RunTableV2("org") {
		t.Error("it was set")
	}
	if strings.Contains(d.log.String(), token[:8]) || strings.Contains(fmt.Sprintf("%+v", d.Handler), token) {
		t.Error("the token is in the log, or in a printed handler")
	}
}

// What cannot be done is said in the gateway's form, and leaves the flag alone.
func TestRefused(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", path, ``, 400}, {"PUT", path, `{}`, 400}, {"PUT", path, `{"runTableV2": "true"}`, 400}, {"PUT", path, `{"runTableV2": null}`, 400},
		{"PUT", path, `{"runTableV2": true, "x": 1}`, 400}, {"PUT", path, `{"runTableV2": true} {}`, 400}, {"PUT", path, `[true]`, 400},
		{"PUT", path, `{"runTableV2": ` + strings.Repeat(" ", 5000) + `true}`, 400},
		{"GET", "/admin/v1/orgs/nobody/run-table-v2", "", 404}, {"PUT", "/admin/v1/orgs/nobody/run-table-v2", `{"runTableV2": true}`, 404},
		{"GET", "/admin/v1/orgs/a%00b/run-table-v2", "", 404}, {"PUT", "/admin/v1/orgs/%ff/run-table-v2", `{"runTableV2": true}`, 404},
		{"GET", "/admin/v1/orgs/" + strings.Repeat("a", 500) + "/run-table-v2", "", 404},
		{"POST", path, `{"runTableV2": true}`, 405}, {"DELETE", path, "", 405}, {"GET", "/admin/v1/", "", 404},
	} {
		w := d.ask(c.method, c.path, "Bearer "+token, c.body)
		var body map[string]string
		if w.Code != c.status || json.Unmarshal(w.Body.Bytes(), &body) != nil || len(body) != 1 || body["error"] == "" {
			t.Errorf("%s %s %.40s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	if d.flags.RunTableV2("org") {
		t.Error("it was set")
	}
	d.pool.Close()
	if w := d.ask("PUT", path, "Bearer "+token, `{"runTableV2": true}`); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("without a database: %d %s", w.Code, w.Body)
	}
	if _, err := admin.New(admin.Config{Token: token[1:], Flags: d.flags}); err == nil || strings.Contains(err.Error(), token[1:]) {
		t.Errorf("a short token: %v", err)
	}
}
