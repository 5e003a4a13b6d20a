package check_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/realtime-gw/realtime-gw/internal/check"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// electric answers as Electric does, in the state that it is given: an Electric of
// an old version, in trouble or without a secret is not to be had on demand.
type electric struct {
	server string // header; "": ElectricSQL/1.7.12
	secret string
	state  string // "": active
	lacks  string // a table that its database does not have
	broken int    // status of every answer for a shape
	clock  time.Duration
	get    func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

func (e electric) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(e.clock).UTC().Format(http.TimeFormat))
	server := e.server
	if server == "" {
		server = "ElectricSQL/1.7.12"
	}
	w.Header().Set("electric-server", server)
	if e.get != nil && e.get(w, r) {
		return
	}
	answer := func(status int, body string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
	invalid := func(field, message string) {
		body, _ := json.Marshal(map[string]any{"message": "Invalid request", "errors": map[string][]string{field: {message}}})
		answer(http.StatusBadRequest, string(body))
	}
	q := r.URL.Query()
	switch {
	case r.URL.Path == "/v1/health" && e.state != "":
		answer(http.StatusAccepted, `{"status":"`+e.state+`"}`)
	case r.URL.Path == "/v1/health":
		answer(http.StatusOK, `{"status":"active"}`)
	case r.URL.Path != "/v1/shape":
		http.Error(w, "Not found", http.StatusNotFound)
	case e.secret != "" && q.Get("secret") != e.secret:
		answer(http.StatusUnauthorized, `{"message":"Unauthorized - Invalid API secret"}`)
	case e.broken != 0:
		answer(e.broken, `{"message":"Timeout waiting for Postgres lock acquisition"}`)
	case q.Get("offset") != "-1":
		invalid("offset", "can't be blank")
	case q.Get("table") == e.lacks || !slices.Contains([]string{`public."TaskRun"`, "public.task_run_v2"}, q.Get("table")):
		invalid("table", `Table `+q.Get("table")+` does not exist. If the table name contains capitals or special characters you must quote it.`)
	case strings.Contains(q.Get("where"), `"realtime-gw-check"`):
		invalid("where", `At location 0: unknown reference "realtime-gw-check"`)
	default:
		answer(http.StatusOK, `[]`)
	}
}

func (e electric) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

// follow reads a slot of the database, as an Electric does.
func follow(t *testing.T, url string) {
	t.Helper()
	slot := pgtest.Slot(t)
	run(t, connect(t, url), "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	config, err := pgconn.ParseConfig(url + "&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close(t.Context()) })
	reader.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT " + slot + " LOGICAL 0/0 (proto_version '1', publication_names 'none')"})
	if err := reader.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReceiveMessage(t.Context()); err != nil { // it is reading
		t.Fatal(err)
	}
}

const origin = "ELECTRIC_ORIGIN"

// What is wrong with an Electric is found, and nothing else is.
func TestElectric(t *testing.T) {
	url := pgtest.Database(t)
	follow(t, url)
	const (
		find   = "set ELECTRIC_ORIGIN to Electric's base URL, such as http://electric:3000, and see that it can be reached from here"
		update = "run Electric 1.7.12 or later: electricsql/electric:1.7.12"
		same   = "give Electric the same database as DATABASE_URL"
		log    = "see Electric's log"
	)
	status := func(n int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "https://elsewhere")
			w.WriteHeader(n)
			return true
		}
	}
	for name, c := range map[string]struct {
		electric electric
		want     []found
	}{
		"well":     {electric{}, nil},
		"newer":    {electric{server: "ElectricSQL/1.10.0-beta.2"}, nil},
		"starting": {electric{state: "starting"}, []found{{check.Error, origin, "Electric is not active, but starting", "wait until Electric has connected to its database; if it does not, its log says why"}}},
		"elsewhere": {electric{get: status(http.StatusMovedPermanently)}, []found{
			{check.Error, origin, "status 301 where Electric says how it is", find}}},
		"no Electric": {electric{get: status(http.StatusNotFound)}, []found{{check.Error, origin, "status 404 where Electric says how it is", find}}},
		"wrong secret": {electric{secret: "another"}, []found{
			{check.Error, origin, "Electric does not take our secret", "set ELECTRIC_SECRET to the value that Electric itself was started with"}}},
		"old": {electric{server: "ElectricSQL/1.2.4"}, []found{{check.Warning, origin, "Electric 1.2.4 can lose a shape's log", update}}},
		"less old": {electric{server: "ElectricSQL/1.7.11"}, []found{
			{check.Warning, origin, "whoever can reach Electric 1.7.11 gets past its secret (before 1.7.12, GHSA-m4f6-p2j8-rq76): nobody but the gateway may reach it", update}}},
		"1.2.8":      {electric{server: "ElectricSQL/1.2.8"}, []found{{check.Warning, origin, "whoever can reach Electric 1.2.8", update}}},
		"no version": {electric{server: "nginx"}, []found{{check.Warning, origin, "does not say which version", update}}},
		"another database": {electric{lacks: "public.task_run_v2"}, []found{
			{check.Error, origin, "Electric follows another database: in its own there is no table public.task_run_v2", same}}},
		"broken": {electric{broken: http.StatusServiceUnavailable}, []found{
			{check.Error, origin, `status 503 to a request for public."TaskRun"`, log}, {check.Error, origin, "status 503 to a request for public.task_run_v2", log}}},
		"slow clock":  {electric{clock: -time.Minute}, []found{{check.Warning, origin, "its clock and this machine's differ by", "timedatectl set-ntp true -- on the machine whose clock is wrong"}}},
		"wrong clock": {electric{clock: time.Hour}, []found{{check.Error, origin, "its clock and this machine's differ by", ""}}},
		// What is no HTTP is quoted by net/http, and may be the request.
		"echo": {electric{get: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/health" {
				return false
			}
			conn, _, _ := w.(http.Hijacker).Hijack()
			fmt.Fprintf(conn, "%s\r\n", r.RequestURI)
			_ = conn.Close()
			return true
		}}, []found{{check.Error, origin, `a request for public."TaskRun" got no answer: there was an error whose words repeat a secret`, log}, {check.Error, origin, "public.task_run_v2", log}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.electric.secret == "" {
				c.electric.secret = sesame
			}
			expect(t, look(t, check.Config{
				DatabaseURL: url, Secret: sesame, Origins: []check.Origin{{Name: origin, URL: c.electric.start(t)}},
			}), c.want...)
		})
	}
}

// An Electric that asks for no secret is open to whoever reaches it.
func TestNoSecret(t *testing.T) {
	at := electric{}.start(t)
	expect(t, look(t, check.Config{Origins: []check.Origin{{Name: origin, URL: at}}}),
		found{check.Warning, origin, "Electric asks for no secret", "set ELECTRIC_SECRET, for Electric and for the gateway, to what openssl rand -hex 32 prints"})
	expect(t, look(t, check.Config{Secret: sesame, Origins: []check.Origin{{Name: origin, URL: at}}}),
		found{check.Warning, origin, "Electric does not ask for the secret", "start Electric with ELECTRIC_SECRET, and without ELECTRIC_INSECURE"})
	at = electric{secret: sesame}.start(t)
	expect(t, look(t, check.Config{Origins: []check.Origin{{Name: origin, URL: at}}}),
		found{check.Error, origin, "Electric does not take our secret", ""})
}

// Each of several is looked at by itself, and one that hangs keeps nobody.
func TestShards(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	follow(t, url)
	shard := func(n int) string { return fmt.Sprintf("ELECTRIC_ORIGIN_SHARDS, number %d", n) }
	well := electric{secret: sesame}
	expect(t, look(t, check.Config{DatabaseURL: url, Secret: sesame, Origins: []check.Origin{
		{Name: shard(1), URL: well.start(t)}, {Name: shard(2), URL: "http://127.0.0.1:1"}, {Name: shard(3), URL: electric{secret: "another"}.start(t)},
	}}),
		found{check.Error, shard(2), "Electric cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused", "set ELECTRIC_ORIGIN_SHARDS, number 2 to Electric's base URL, such as http://electric:3000, and see that it can be reached from here"},
		found{check.Error, shard(3), "Electric does not take our secret", ""},
		found{check.Error, database, "2 Electrics are active, but 1 replication slots are in this database", "give every Electric the same database as DATABASE_URL, and each a replication stream of its own (ELECTRIC_REPLICATION_STREAM_ID)"})

	released := make(chan struct{})
	hangs := electric{get: func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-released:
		case <-r.Context().Done():
		}
		return true
	}}.start(t)
	t.Cleanup(func() { close(released) })
	began := time.Now()
	expect(t, look(t, check.Config{Secret: sesame, Patience: 5 * time.Second, Origins: []check.Origin{{Name: shard(1), URL: hangs}, {Name: shard(2), URL: well.start(t)}}}),
		found{check.Error, shard(1), "Electric cannot be reached: context deadline exceeded", ""})
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}

	// Of two that are well, each needs a slot. One may be there twice, for a ramp.
	once := well.start(t)
	green(t, look(t, check.Config{DatabaseURL: url, Secret: sesame, Origins: []check.Origin{{Name: shard(1), URL: once}, {Name: shard(2), URL: once + "/"}}}))
	two := []check.Origin{{Name: shard(1), URL: well.start(t)}, {Name: shard(2), URL: well.start(t)}}
	follow(t, url)
	green(t, look(t, check.Config{DatabaseURL: url, Secret: sesame, Origins: two}))
	other := pgtest.Database(t) // which has all the tables, and nobody who follows it
	expect(t, look(t, check.Config{DatabaseURL: other, Secret: sesame, Origins: two[:1]}),
		found{check.Error, database, "no replication slot of it is in this database: it follows another one", ""})
}
