package main

import (
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// A trigger that Redis does not keep apart from others is made, and is counted.
func TestServeCountsFaultsOfClaims(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	database, demo, _ := seeded(t)
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0",
		"REDIS_URL=" + s.URL(), "REALTIME_GW_PLATFORM_API=1", "REALTIME_GW_METRICS_ADDR=127.0.0.1:0",
	}, "serve")
	origin, metrics := listens(t, p), metricsOf(t, p)
	before := scrape(t, metrics)
	for body, grown := range map[string]float64{`{}`: 0, `{"options":{"idempotencyKey":"key"}}`: 1} {
		if status, text := post(t, origin+"/api/v1/tasks/task/trigger", demo, body); status != 200 {
			t.Fatalf("%s: %d %s", body, status, text)
		}
		before = untilGrown(t, metrics, before, map[string]float64{"realtime_gw_claim_faults_total": grown})
	}
}
