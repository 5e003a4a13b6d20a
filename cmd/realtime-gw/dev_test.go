package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// dev is a running dev and what its dev.json says.
type dev struct {
	*process
	dir   string
	state map[string]string
	said  string
	key   string // of cursors
}

func startDev(t *testing.T, dir string, flags ...string) *dev {
	t.Helper()
	p := run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:0"}, append([]string{"dev", "--dir", dir}, flags...)...)
	last := "Ctrl-C stops everything."
	if slices.Contains(flags, "--no-simulate") {
		last = "offset=-1'\n"
	}
	d := &dev{process: p, dir: dir, said: p.out.until(t, last)}
	text, err := os.ReadFile(filepath.Join(dir, "dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d.state); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "cursor.key"))
	if err != nil {
		t.Fatal(err)
	}
	d.key = string(key)
	return d
}

// answer is one of the gateway's, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) place() string {
	return url.Values{"handle": {a.header.Get("Electric-Handle")}, "offset": {a.header.Get("Electric-Offset")}}.Encode()
}

func ask(ctx context.Context, target, credential string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

func (d *dev) get(path string) answer {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	got, err := ask(ctx, d.state["url"]+path, d.state["apiKey"])
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

// write makes a run in each table, tagged demo.
func (d *dev) write() {
	d.t.Helper()
	pool, err := pgxpool.New(d.t.Context(), d.state["databaseUrl"])
	if err != nil {
		d.t.Fatal(err)
	}
	defer pool.Close()
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		d.t.Fatal(err)
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	for _, table := range runid.Tables() {
		_, err := store.Create(d.t.Context(), runstore.NewRun{
			ID: mint.Mint(table), EnvironmentID: d.state["environmentId"], ProjectID: "p", TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s", Tags: []string{"demo"},
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// rows is how many rows of each table a body has.
func rows(body string) (legacy, v2 int) {
	return strings.Count(body, `"relation":["public","TaskRun"]`), strings.Count(body, `"relation":["public","task_run_v2"]`)
}

var curlLine = regexp.MustCompile(`(?m)^\s+(curl .*)$`)

// Quiet, dev prints one line that works, and writes down what it runs.
func TestDevSaysWhatToDo(t *testing.T) {
	d := startDev(t, stateDir(t), "--fresh", "--no-simulate")
	for _, field := range []string{"url", "databaseUrl", "apiKey", "environmentId", "organizationId", "publicToken"} {
		if d.state[field] == "" {
			t.Errorf("dev.json has no %s", field)
		}
	}
	if len(d.state) != 6 || !strings.HasPrefix(d.state["apiKey"], "tr_dev_") {
		t.Errorf("dev.json has %d fields, the key %.7s...", len(d.state), d.state["apiKey"])
	}
	if info, err := os.Stat(filepath.Join(d.dir, "dev.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("dev.json: %v, %v", info.Mode(), err)
	}
	d.write()
	curls := curlLine.FindAllStringSubmatch(d.said, -1)
	if len(curls) != 1 {
		t.Fatalf("%d curl lines in %s", len(curls), d.said)
	}
	untilRows(t, func() string { return shell(t, curls[0][1]) })

	// The public token opens the feeds, too.
	if got, err := ask(t.Context(), d.state["url"]+"/realtime/v1/runs?offset=-1", d.state["publicToken"]); err != nil || got.status != 200 {
		t.Errorf("with the public token: %d %s, %v", got.status, got.body, err)
	}
	// token signs for the same environment.
	signer := run(t, nil, "token", "--dir", d.dir, "--scope", "read:tags:demo", "--expires", "1h")
	if code := signer.wait(); code != 0 {
		t.Fatalf("token ends with %d", code)
	}
	signed := strings.TrimSpace(signer.out.String())
	for path, status := range map[string]int{"/realtime/v1/runs?offset=-1&tags=demo": 200, "/realtime/v1/runs?offset=-1&tags=x": 403} {
		if got, err := ask(t.Context(), d.state["url"]+path, signed); err != nil || got.status != status {
			t.Errorf("%s with a token: %d %s, %v", path, got.status, got.body, err)
		}
	}

	// A second one is told, and disturbs nothing.
	for _, flags := range [][]string{nil, {"--fresh"}} {
		second := run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:0"}, append([]string{"dev", "--no-simulate", "--dir", d.dir}, flags...)...)
		if code := second.wait(); code == 0 || !strings.Contains(second.err.String(), "another dev is running in "+d.dir) {
			t.Errorf("a second dev %v ends with %d, %s", flags, code, second.err)
		}
	}
	if _, err := os.Stat(filepath.Join(d.dir, "dev.json")); err != nil {
		t.Errorf("the first one's dev.json: %v", err)
	}
	if l, v := rows(d.get("/realtime/v1/runs?offset=-1").body); l != 1 || v != 1 {
		t.Errorf("the first one has %d and %d rows", l, v)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(d.state["url"], "http://"), ":")
	third := run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:" + port}, "dev", "--dir", stateDir(t))
	if code := third.wait(); code == 0 || !strings.Contains(third.err.String(), "REALTIME_GW_ADDR") || !strings.Contains(third.err.String(), "in use") {
		t.Errorf("on a taken address dev ends with %d, %s", code, third.err)
	}
	d.end(syscall.SIGINT)
}

// untilRows asks until rows of both tables came: the embedded upstream is told of
// a write a moment after it.
func untilRows(t *testing.T, get func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		body := get()
		if l, v := rows(body); l > 0 && v > 0 && strings.Contains(body, "up-to-date") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no rows of both tables in %s", body)
		}
	}
}

// end stops dev by a signal: all of it.
func (d *dev) end(s os.Signal) {
	d.t.Helper()
	if len(processesIn(d.t, d.dir)) == 0 {
		d.t.Error("no process works in the state directory: the test cannot see what is left")
	}
	began := time.Now()
	d.signal(s)
	if code := d.wait(); code != 0 {
		d.t.Errorf("%v ends it with %d", s, code)
	}
	d.t.Logf("ended in %v", time.Since(began))
	if left := processesIn(d.t, d.dir); len(left) > 0 {
		d.t.Errorf("%v leaves the processes %v", s, left)
	}
}

// With its workload, dev prints lines for a tag, a batch and a run, and each has
// rows.
func TestDevSimulates(t *testing.T) {
	d := startDev(t, stateDir(t))
	for _, field := range []string{"tag", "runId", "v2RunId", "batchId"} {
		if d.state[field] == "" {
			t.Errorf("dev.json has no %s", field)
		}
	}
	curls := curlLine.FindAllStringSubmatch(d.said, -1)
	if len(curls) != 3 {
		t.Fatalf("%d curl lines in %s", len(curls), d.said)
	}
	untilRows(t, func() string { return shell(t, curls[0][1]) })
	untilRows(t, func() string { return shell(t, curls[1][1]) })
	for line, table := range map[string]string{curls[2][1]: "TaskRun", strings.Replace(curls[2][1], d.state["runId"], d.state["v2RunId"], 1): "task_run_v2"} {
		if body := shell(t, line); !strings.Contains(body, `"relation":["public","`+table+`"]`) || strings.Count(body, `"relation"`) != 1 {
			t.Errorf("%s: %s", table, body)
		}
	}
	// Something happens.
	at := d.get("/realtime/v1/runs?tags=" + d.state["tag"] + "&offset=-1")
	if live := d.get("/realtime/v1/runs?tags=" + d.state["tag"] + "&live=true&" + at.place()); live.status != 200 || !strings.Contains(live.body, `"operation"`) {
		t.Errorf("live: %d %s", live.status, live.body)
	}
	d.end(syscall.SIGTERM)
}

// A restart keeps the database, the key and the cursors. The upstream is new, so
// a client from before gets one must-refetch, and is whole then.
func TestDevRestarts(t *testing.T) {
	dir := stateDir(t)
	first := startDev(t, dir, "--no-simulate")
	first.write()
	const path = "/realtime/v1/runs?tags=demo&"
	var at answer
	untilRows(t, func() string { at = first.get(path + "offset=-1"); return at.body })
	held := hold(t, first.state["url"]+path+"live=true&"+at.place(), first.state["apiKey"])
	first.end(syscall.SIGTERM)
	if got := <-held; got.status != 200 || !strings.HasPrefix(got.body, `[{"headers":{"control":"up-to-date"`) {
		t.Errorf("the held poll: %d %s", got.status, got.body)
	}

	second := startDev(t, dir, "--no-simulate")
	for _, field := range []string{"apiKey", "environmentId", "organizationId"} {
		if first.state[field] != second.state[field] {
			t.Errorf("%s changed", field)
		}
	}
	if first.key != second.key {
		t.Error("the cursor key changed")
	}
	refetch := second.get(path + at.place())
	if refetch.status != 409 || refetch.body != `[{"headers":{"control":"must-refetch"}}]` {
		t.Fatalf("a cursor from before: %d %s", refetch.status, refetch.body)
	}
	handle := refetch.header.Get("Electric-Handle")
	whole := second.get(path + "offset=-1&handle=" + handle + "&expired_handle=" + at.header.Get("Electric-Handle"))
	if l, v := rows(whole.body); whole.status != 200 || l != 1 || v != 1 || !strings.Contains(whole.body, "up-to-date") {
		t.Errorf("started over: %d with %d and %d rows", whole.status, l, v)
	}
	if on := second.get(path + whole.place()); on.status != 200 || strings.Contains(on.body, `"operation"`) {
		t.Errorf("went on: %d %s", on.status, on.body)
	}
	second.end(os.Interrupt)

	fresh := startDev(t, dir, "--no-simulate", "--fresh")
	if fresh.state["apiKey"] == first.state["apiKey"] || fresh.key == first.key {
		t.Error("--fresh kept the key")
	}
	if l, v := rows(fresh.get("/realtime/v1/runs?offset=-1").body); l+v != 0 {
		t.Error("--fresh kept rows")
	}

	// Killed, it leaves nothing either, and the next one starts.
	if len(processesIn(t, dir)) == 0 {
		t.Error("no process works in the state directory")
	}
	fresh.signal(syscall.SIGKILL)
	<-fresh.ended
	untilNothingIn(t, dir)
	again := startDev(t, dir, "--no-simulate")
	if again.state["apiKey"] != fresh.state["apiKey"] {
		t.Error("the key changed")
	}
	again.end(os.Interrupt)
}

// Two signals end it at once; one while it starts ends it, too.
func TestDevIsInterruptedWhileItStarts(t *testing.T) {
	dir := stateDir(t)
	p := run(t, []string{"REALTIME_GW_ADDR=127.0.0.1:0"}, "dev", "--no-simulate", "--dir", dir)
	p.out.until(t, "starting Postgres")
	p.signal(os.Interrupt)
	p.wait()
	untilNothingIn(t, dir)
	d := startDev(t, dir, "--no-simulate") // and leaves nothing that is broken
	d.end(os.Interrupt)
}
