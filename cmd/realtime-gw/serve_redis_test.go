package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// uncounted is what the log says when Redis does not answer a request.
const uncounted = "Redis does not answer: live requests are let in uncounted, beyond any limit"

// counting is a gateway that counts in a Redis: one subscription an environment.
type counting struct {
	dev
	environment, key string
	live             string // a live request's URL but for the place
	at               answer // the place that was reached
}

func serveCounting(t *testing.T, redisURL string) *counting {
	t.Helper()
	database, demo, _ := seeded(t)
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0",
		"REDIS_URL=" + redisURL, "REALTIME_CONCURRENCY_LIMIT=1", "REALTIME_GW_LOG_LEVEL=debug",
	}, "serve")
	feed := served(t, p) + "/realtime/v1/runs?tags=demo&"
	return &counting{
		dev:         dev{process: p, state: map[string]string{"databaseUrl": database, "environmentId": demo.EnvironmentID}},
		environment: demo.EnvironmentID, key: demo.APIKey, live: feed + "live=true&", at: must(t, feed+"offset=-1", demo.APIKey),
	}
}

func (c *counting) poll() answer {
	c.t.Helper()
	return must(c.t, c.live+c.at.place(), c.key)
}

func (c *counting) hold() <-chan answer {
	c.t.Helper()
	return hold(c.t, c.live+c.at.place(), c.key)
}

// news writes a run in each table and reads both, of which the first answer may
// have been held. Before it asks for the other, free waits until there is a slot:
// one is given back behind the back of the request that had it.
func (c *counting) news(held <-chan answer, free func()) {
	c.t.Helper()
	c.write()
	for l, v := 0, 0; l+v < 2; {
		var got answer
		if held != nil {
			got, held = <-held, nil
		} else {
			free()
			got = c.poll()
		}
		a, b := rows(got.body)
		if l, v = l+a, v+b; got.status != 200 || a+b == 0 {
			c.t.Fatalf("%d %s", got.status, got.body)
		}
		c.at = got
	}
}

// end ends the program, whose log must be lines of JSON without a secret.
func (c *counting) end() {
	c.t.Helper()
	c.signal(syscall.SIGTERM)
	if code := c.wait(); code != 0 {
		c.t.Errorf("ends with %d", code)
	}
	for line := range strings.Lines(c.err.String()) {
		if !json.Valid([]byte(line)) {
			c.t.Errorf("the log has %q", line)
		}
	}
	for _, secret := range []string{redistest.Password, sesame, goodKey, c.key} {
		if strings.Contains(c.err.String()+c.out.String(), secret) {
			c.t.Error("a secret is in the log")
		}
	}
}

// REDIS_URL has live requests counted in Redis, where the platform counts: a slot
// is there while a poll is held, and an environment that has no more is a 429. When
// Redis is gone, everybody is let in, and the log says so.
func TestServeCountsInRedis(t *testing.T) {
	s := redistest.Start(t)
	c := serveCounting(t, s.URL())
	client, slots := s.Client(t), "tr:realtime:concurrency:"+c.environment
	taken := func(n int64) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for tick := time.NewTicker(5 * time.Millisecond); client.ZCard(t.Context(), slots).Val() != n; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("Redis has %v, want %d slots", client.ZRangeWithScores(t.Context(), slots, 0, -1), n)
			}
		}
	}
	none := func() { taken(0) }
	c.news(nil, none) // from here on Redis knows the script
	none()
	held := c.hold()
	taken(1)
	for got := c.poll(); got.status != 429; got = c.poll() {
		// Redis has 250 ms, which a busy machine may miss.
		if !strings.Contains(c.err.String(), uncounted) {
			t.Fatalf("beyond the limit: %d %s", got.status, got.body)
		}
		held = c.hold()
		taken(1)
	}
	c.news(held, none)
	none()
	if got := client.Keys(t.Context(), "*").Val(); len(got) > 0 {
		t.Errorf("Redis has %q", got)
	}

	held = c.hold()
	taken(1)
	s.Kill()
	beyond := c.hold()
	c.err.until(t, uncounted)
	c.news(held, func() {})
	if got := <-beyond; got.status != 200 {
		t.Errorf("without Redis: %d %s", got.status, got.body)
	}
	c.end()
	for _, says := range []string{`{"level":"warn",`, uncounted, "closing Redis", "expire by themselves: "} {
		if !strings.Contains(c.err.String(), says) {
			t.Errorf("the log does not say %q", says)
		}
	}
}

// A Redis that is not there, or refuses us, is no reason not to serve. It is said
// before the first request.
func TestServeWithoutItsRedis(t *testing.T) {
	s := redistest.Start(t)
	for name, url := range map[string]string{
		"down":           "redis://:" + sesame + "@127.0.0.1:1",
		"wrong password": strings.Replace(s.URL(), redistest.Password, sesame, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveCounting(t, url)
			before, _, _ := strings.Cut(c.err.String(), `"message":"serving"`)
			if !strings.Contains(before, `{"level":"warn",`) || !strings.Contains(before, "REDIS_URL cannot be reached") {
				t.Errorf("it begins with %s", before)
			}
			held := c.hold()
			beyond := c.hold()
			c.err.until(t, uncounted)
			c.news(held, func() {})
			if got := <-beyond; got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
			c.end()
		})
	}
}
