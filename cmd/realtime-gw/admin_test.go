package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// Operators get in with the token only, and where there is none there is no door;
// the gateway beside it is as it was.
func TestAdmin(t *testing.T) {
	const token = "an admin token of more than 32 characters"
	database, demo, pool := seeded(t)
	serve := func(set ...string) (string, *process) {
		p := run(t, append([]string{
			"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0",
		}, set...), "serve")
		return served(t, p), p
	}
	ask := func(method, url, token, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		b, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.StatusCode, string(b)
	}
	path := "/admin/v1/orgs/" + demo.OrganizationID + "/run-table-v2"

	base, p := serve("REALTIME_GW_ADMIN_TOKEN=" + token)
	if status, body := ask("PUT", base+path, "another", `{"runTableV2": true}`); status != 401 {
		t.Errorf("with another token: %d %s", status, body)
	}
	if status, body := ask("PUT", base+path, token, `{"runTableV2": true}`); status != 200 || !strings.Contains(body, `"runTableV2":true`) {
		t.Errorf("with the token: %d %s", status, body)
	}
	var stored string
	if err := pool.QueryRow(t.Context(), `SELECT "featureFlags"::text FROM "Organization" WHERE id = $1`, demo.OrganizationID).Scan(&stored); err != nil || stored != `{"runTableV2": true}` {
		t.Errorf("the database has %s, %v", stored, err)
	}
	if status, body := ask("GET", base+"/realtime/v1/runs?tags=a&offset=-1", demo.APIKey, ""); status != 200 {
		t.Errorf("a feed beside it: %d %s", status, body)
	}
	if status, _ := ask("GET", base+"/admin", token, ""); status != 404 {
		t.Errorf("/admin: %d", status)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	if log := p.err.String(); strings.Contains(log, token) || strings.Contains(log, "another") || !strings.Contains(log, "the flag runTableV2 was set") {
		t.Errorf("the log is\n%s", log)
	}

	base, _ = serve()
	if status, body := ask("GET", base+path, "", ""); status != 404 {
		t.Errorf("without a token there is a door: %d %s", status, body)
	}
}
