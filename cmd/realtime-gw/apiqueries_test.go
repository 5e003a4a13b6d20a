package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/orgflags"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// row is a line of the table of docs/trigger.md: what, and the numbers of questions
// with which the cells for Postgres and Redis begin.
var row = regexp.MustCompile(`(?m)^\| ([^|]+?) \| (\d+)\b[^|]* \| ([^|]+?) \|$`)

// documented is that table: by operation, what it asks of Postgres and of Redis. Of
// Redis it is -1 where the table has no number.
func documented(t *testing.T) map[string][2]int {
	t.Helper()
	_, table, _ := strings.Cut(read(t, "docs", "trigger.md"), "\n## Per operation\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := map[string][2]int{}
	for _, found := range row.FindAllStringSubmatch(table, -1) {
		first, _, _ := strings.Cut(found[3], ":")
		postgres, _ := strconv.Atoi(found[2])
		redis, err := strconv.Atoi(first)
		switch {
		case first == "none":
			redis = 0
		case err != nil:
			redis = -1
		}
		rows[found[1]] = [2]int{postgres, redis}
	}
	if lines := strings.Count(table, "\n| ") - 1; lines != len(rows) {
		t.Fatalf("docs/trigger.md has %d operations, of which %d can be read: %v", lines, len(rows), rows)
	}
	return rows
}

// scripts is how many scripts a Redis was asked to run: all that claims ask.
func scripts(t *testing.T, client *redis.Client) (n int) {
	t.Helper()
	stats, err := client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, calls := range regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`).FindAllStringSubmatch(stats, -1) {
		more, _ := strconv.Atoi(calls[1])
		n += more
	}
	return n
}

// What the API asks of Postgres and Redis is what docs/trigger.md says, operation by
// operation, put together as the program is. It is the same for both values of the
// organization's flag, and for relatives in either table; and once the instance has
// seen an environment, nothing asks for its flag or its key.
func TestAPIQueries(t *testing.T) {
	database, demo, pool := seeded(t)
	cache := redistest.Start(t)
	slots, err := claims.NewRedis(claims.RedisConfig{URL: cache.URL(), Wait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slots.Close() })
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	asked := &questions{asked: make(map[string]int)}
	primary := asked.pool(t, database)
	flags, err := orgflags.Open(t.Context(), orgflags.Config{Pool: primary, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(flags.Close)
	u := &apiUser{
		t: t, store: store, pool: pool, slots: slots, redis: cache.Client(t), mint: runid.NewMinter(runid.MinterConfig{}), of: demo,
		base: assembled(t, database, parts{primary: primary, api: true, flags: flags, claims: slots, log: zerolog.Nop()}) + "/api",
	}
	for _, c := range apiCases { // what is first of its kind is not counted
		if !c.waits {
			c.prepare(u)()
		}
	}

	began, changes := time.Now(), 0
	rows := documented(t)
	for _, on := range []bool{false, true} {
		if err := flags.Set(t.Context(), demo.OrganizationID, on); err != nil {
			t.Fatal(err)
		}
		changes++
		for _, table := range runid.Tables() {
			u.relatives = table
			for name, c := range apiCases {
				want, ok := rows[name]
				if !ok {
					t.Fatalf("docs/trigger.md has no row %q", name)
				}
				if c.waits && (on || table == runid.V2) {
					continue
				}
				counted, times := c.prepare(u), max(1, c.times)
				asked.take()
				before := scripts(t, u.redis)
				counted()
				statements := slices.DeleteFunc(asked.take(), background)
				if len(statements) != times*want[0] {
					t.Errorf("%s, flag %v, relatives in %s: %d statements, not %d:\n%s", name, on, table, len(statements), times*want[0], strings.Join(statements, "\n"))
				}
				if n := scripts(t, u.redis) - before; n != times*want[1] && (want[1] >= 0 || n == 0) {
					t.Errorf("%s, flag %v, relatives in %s: Redis is asked %d times, not %d", name, on, table, n, times*want[1])
				}
			}
		}
	}
	for name := range rows {
		if _, ok := apiCases[name]; !ok {
			t.Errorf("no case is called %q", name)
		}
	}

	took := time.Since(began)
	asked.mu.Lock()
	defer asked.mu.Unlock()
	for question, times := range asked.asked {
		most := 1 << 30
		switch {
		case strings.Contains(question, "featureFlags"): // read again every 10 s, and when one is set
			most = 2 + int(took/(10*time.Second)) + 3*changes
		case strings.Contains(question, "RuntimeEnvironment"): // by key and by id
			most = 1 + int(took/(30*time.Second))
		}
		if times > most {
			t.Errorf("in %v this was asked %d times, and not %d times:\n%s", took, times, most, question)
		}
	}
}

// background says that a statement is not a request's: flags and keys are counted on
// their own, since they are read again by the clock.
func background(sql string) bool {
	return strings.Contains(sql, "featureFlags") || strings.Contains(sql, "RuntimeEnvironment") || strings.HasPrefix(sql, "LISTEN")
}
