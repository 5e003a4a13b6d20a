package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// post sends a body with the environment's key.
func post(t *testing.T, url string, demo schema.Demo, body string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+demo.APIKey)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(all)
}

// serve serves the platform's API if that is wanted, passes on what it has not to
// the platform if it knows where that is, and else says that it has it not.
func TestServePlatformAPI(t *testing.T) {
	database, demo, _ := seeded(t)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "the platform got "+string(body)+" at "+r.URL.Path)
	}))
	defer behind.Close()
	const triggers, schedules, streams = "/api/v1/tasks/task/trigger", "/api/v1/schedules", "/realtime/v1/streams/run_x/y"
	for name, c := range map[string]struct {
		env  []string
		want map[string]string // by path, the beginning of an answer
	}{
		"nothing": {nil, map[string]string{triggers: `501 {"error":"`, schedules: `501 {"error":"`, streams: `501 {"error":"`}},
		"the API": {[]string{"REALTIME_GW_PLATFORM_API=1"}, map[string]string{triggers: `200 {"id":"run_`, schedules: `501 {"error":"`, streams: `501 {"error":"`}},
		"the platform": {[]string{"PLATFORM_ORIGIN=" + behind.URL}, map[string]string{
			triggers: "200 the platform got {} at " + triggers, schedules: "200 the platform got {} at " + schedules, streams: "200 the platform got {} at " + streams,
		}},
		"both": {[]string{"REALTIME_GW_PLATFORM_API=1", "PLATFORM_ORIGIN=" + behind.URL}, map[string]string{
			triggers: `200 {"id":"run_`, schedules: "200 the platform got {} at " + schedules, streams: "200 the platform got {} at " + streams,
		}},
	} {
		p := run(t, append([]string{
			"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0",
		}, c.env...), "serve")
		origin := served(t, p)
		for path, want := range c.want {
			status, text := post(t, origin+path, demo, "{}")
			if got := fmt.Sprint(status, " ", text); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is answered with %d %s", name, path, status, text)
			}
		}
	}
}
