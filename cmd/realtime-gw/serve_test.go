package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// seeded is a database with the demo environment.
func seeded(t *testing.T) (string, schema.Demo, *pgxpool.Pool) {
	t.Helper()
	database := pgtest.Database(t)
	pool, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	demo, err := schema.SeedDemo(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return database, demo, pool
}

// served waits until serve or shapes takes requests, and gives its address.
func served(t *testing.T, p *process) string {
	t.Helper()
	const says = `"message":"serving`
	var text string
	for line := range strings.Lines(p.err.until(t, says)) {
		if strings.Contains(line, says) { // of several, that one
			text = line
		}
	}
	var line struct{ Addr string }
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return "http://" + line.Addr
}

func must(t *testing.T, target, credential string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := ask(ctx, target, credential)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The gateway and its upstream in two processes, as in production. The gateway is
// killed while a client waits: another instance goes on with the client's cursor,
// and nobody has to start over.
func TestServeOverShapes(t *testing.T) {
	database, demo, _ := seeded(t)
	upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
	env := []string{
		"DATABASE_URL=" + database, "DATABASE_READ_REPLICA_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey,
		"ELECTRIC_ORIGIN=" + served(t, upstream), "ELECTRIC_SECRET=" + sesame, "REALTIME_GW_ADDR=127.0.0.1:0",
	}
	first := run(t, env, "serve")
	const path = "/realtime/v1/runs?tags=demo&"
	at := must(t, served(t, first)+path+"offset=-1", demo.APIKey)
	if at.status != 200 {
		t.Fatalf("%d %s", at.status, at.body)
	}
	d := dev{process: first, state: map[string]string{"databaseUrl": database, "environmentId": demo.EnvironmentID}}
	first.signal(syscall.SIGKILL)
	<-first.ended
	d.write()
	second := run(t, env, "serve")
	origin := served(t, second)
	for l, v := 0, 0; l+v < 2; { // each half comes, in one answer or two
		at = must(t, origin+path+"live=true&"+at.place(), demo.APIKey)
		a, b := rows(at.body)
		if l, v = l+a, v+b; at.status != 200 || a+b == 0 || l > 1 || v > 1 {
			t.Fatalf("%d %s", at.status, at.body)
		}
	}

	// Drained, it answers whom it holds, and ends.
	held := hold(t, origin+path+"live=true&"+at.place(), demo.APIKey)
	began := time.Now()
	second.signal(syscall.SIGTERM)
	if code := second.wait(); code != 0 || time.Since(began) > 15*time.Second {
		t.Errorf("drained in %v with %d", time.Since(began), code)
	}
	if got := <-held; got.status != 200 || !strings.HasPrefix(got.body, `[{"headers":{"control":"up-to-date"`) {
		t.Errorf("the held poll: %d %s", got.status, got.body)
	}
	upstream.signal(os.Interrupt)
	if code := upstream.wait(); code != 0 {
		t.Errorf("shapes ends with %d", code)
	}
	for _, p := range []*process{first, second, upstream} {
		for _, secret := range []string{demo.APIKey, sesame, goodKey} {
			if strings.Contains(p.err.String()+p.out.String(), secret) {
				t.Error("a secret is in the log")
			}
		}
	}
}

// Shapes are shared among several upstreams, and a feed is whole wherever its two
// are.
func TestServeOverShards(t *testing.T) {
	database, demo, _ := seeded(t)
	var origins []string
	for range 2 {
		upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
		origins = append(origins, served(t, upstream))
	}
	serve := func(origins ...string) string {
		return served(t, run(t, []string{
			"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN_SHARDS=" + strings.Join(origins, ","), "REALTIME_GW_ADDR=127.0.0.1:0",
		}, "serve"))
	}
	both := serve(origins...)
	first, moved := serve(origins[0]), 0
	for _, tag := range strings.Split("abcdefgh", "") {
		path := "/realtime/v1/runs?tags=" + tag + "&"
		at := must(t, both+path+"offset=-1", demo.APIKey)
		if at.status != 200 || !strings.Contains(at.body, "up-to-date") {
			t.Fatalf("%s: %d %s", tag, at.status, at.body)
		}
		if again := must(t, both+path+at.place(), demo.APIKey); again.status != 200 {
			t.Errorf("%s goes on with %d %s", tag, again.status, again.body)
		}
		// An instance that asks the first alone does not know what the second has.
		if alone := must(t, first+path+at.place(), demo.APIKey); alone.status == 409 {
			moved++
		}
	}
	if moved == 0 {
		t.Error("the second upstream has no part of any of 8 feeds")
	}
}

// hold sends a request and returns when the program has taken it: its connection
// was made before that of another request, which was answered.
func hold(t *testing.T, target, credential string) <-chan answer {
	t.Helper()
	sent := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	held := make(chan answer, 1)
	go func() {
		got, err := ask(ctx, target, credential)
		if err != nil {
			t.Errorf("the held poll: %v", err)
		}
		held <- got
	}()
	<-sent
	origin, _, _ := strings.Cut(target, "/realtime/")
	if got := must(t, origin+"/readyz", ""); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return held
}

// With its own upstream one instance serves alone; a second one is told so.
func TestServeEmbedded(t *testing.T) {
	database, demo, _ := seeded(t)
	env := []string{"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}
	first := run(t, env, "serve")
	origin := served(t, first)
	if got := must(t, origin+"/realtime/v1/runs?offset=-1", demo.APIKey); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	for path, body := range map[string]string{"/readyz": `{"status":"ready"}`, "/healthz": `{"status":"ok"}`} {
		if got := must(t, origin+path, ""); got.status != 200 || got.body != body {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	second := run(t, env, "serve")
	if code := second.wait(); code <= 0 || !strings.Contains(second.err.String(), "REALTIME_GW_SLOT") {
		t.Errorf("a second instance ends with %d, %s", code, second.err)
	}
	first.signal(syscall.SIGTERM)
	if code := first.wait(); code != 0 {
		t.Errorf("ends with %d", code)
	}
}

// An instance whose embedded server cannot follow the database any more has nothing
// to say, and ends.
func TestEmbeddedEnds(t *testing.T) {
	for _, command := range []string{"serve", "shapes"} {
		database, _, pool := seeded(t)
		p := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_EMBEDDED=1", "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, command)
		served(t, p)
		for _, sql := range []string{
			`INSERT INTO task_run_v2 (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt") VALUES ('a', 'run_a', 't', '', '', '', 'e', 'p', 'q', now())`,
			`ALTER TABLE task_run_v2 REPLICA IDENTITY DEFAULT`, `DELETE FROM task_run_v2`,
		} {
			if _, err := pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		if code := p.wait(); code <= 0 || !strings.Contains(p.err.String(), `ALTER TABLE "public"."task_run_v2" REPLICA IDENTITY FULL`) {
			t.Errorf("%s ends with %d, %s", command, code, p.err)
		}
	}
}

// migrate makes what is missing, and the second time there is nothing.
func TestMigrateTwice(t *testing.T) {
	database := pgtest.Empty(t)
	for i, says := range []string{"task_run_v2", "nothing to do: the tables are as they should be"} {
		p := run(t, []string{"DATABASE_URL=" + database}, "migrate")
		if code := p.wait(); code != 0 || !strings.Contains(p.out.String(), says) {
			t.Errorf("time %d: %d, %s", i+1, code, p.out)
		}
	}
	first := run(t, []string{"DATABASE_URL=" + database}, "migrate", "--demo")
	first.wait()
	var environment, key string
	if _, err := fmt.Sscanf(strings.ReplaceAll(first.out.until(t, "key tr_dev_"), ",", ""), "nothing to do: the tables are as they should be\nenvironment %s key %s\n", &environment, &key); err != nil {
		t.Fatalf("%s: %v", first.out, err)
	}
	second := run(t, []string{"DATABASE_URL=" + database}, "migrate", "--demo")
	if second.wait() != 0 || !strings.Contains(second.out.String(), environment+", key "+key+"\n") {
		t.Errorf("the second time the environment is another: %s", second.out)
	}
}

// token signs for any environment of a database.
func TestTokenForAnEnvironment(t *testing.T) {
	database, demo, pool := seeded(t)
	env := []string{"DATABASE_URL=" + database}
	p := run(t, env, "token", "--environment", demo.EnvironmentID, "--scope", "read:tags:a,read:runs:run_x", "--skip-columns", "payload,output", "--expires", "2m")
	if code := p.wait(); code != 0 {
		t.Fatalf("ends with %d", code)
	}
	a, err := auth.NewAuthenticator(auth.Config{Directory: auth.NewPostgresDirectory(pool)})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Authenticate(t.Context(), http.Header{"Authorization": {"Bearer " + strings.TrimSpace(p.out.String())}})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(who.Expires); left > 2*time.Minute || left < time.Minute {
		t.Errorf("it is good for %v", left)
	}
	if !who.May("read", auth.Resource{Type: "tags", ID: "a"}) || !who.May("read", auth.Resource{Type: "runs", ID: "run_x"}) || who.May("read", auth.Resource{Type: "runs"}) {
		t.Error("it may do something else than was asked")
	}
	if strings.Join(who.SkipColumns, " ") != "payload output" || who.Environment.ID != demo.EnvironmentID {
		t.Errorf("it hides %v of %s", who.SkipColumns, who.Environment.ID)
	}
	for name, c := range map[string]struct {
		env  []string
		args []string
		says string
	}{
		"unknown":     {env, []string{"--environment", "nobody", "--scope", "read:runs"}, `no environment with the id "nobody"`},
		"no database": {nil, []string{"--environment", "nobody", "--scope", "read:runs"}, "DATABASE_URL"},
		"no scope":    {env, []string{"--environment", demo.EnvironmentID}, "--scope"},
		"no dev":      {nil, []string{"--scope", "read:runs", "--dir", t.TempDir()}, "no dev to take it from"},
		"expired":     {env, []string{"--environment", demo.EnvironmentID, "--scope", "read:runs", "--expires=-1h"}, "Expires"},
	} {
		p := run(t, c.env, append([]string{"token"}, c.args...)...)
		if code := p.wait(); code <= 0 || !strings.Contains(p.err.String(), c.says) || p.out.String() != "" && name != "no scope" {
			t.Errorf("%s: %d, %s%s, want %s", name, code, p.out, p.err, c.says)
		}
	}
}
