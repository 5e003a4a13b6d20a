package blackbox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// tenant is an environment with a run in each table, both with the tags a and b
// and in one batch, and one more in each without tags. Every row holds the
// canary, which no answer to anybody else may.
type tenant struct {
	w                  *world
	env, org, proj     string
	key, canary        string
	legacy, v2         runstore.Run
	batch              runstore.Batch
	bareLegacy, bareV2 runstore.Run
	mint               *runid.Minter
}

func newTenant(w *world, name string) tenant {
	w.t.Helper()
	n := tenant{
		w: w, env: "env_" + name, org: "org_" + name, proj: "proj_" + name,
		key: "tr_prod_" + name + "0123456789", canary: "CANARY-" + name, mint: runid.NewMinter(runid.MinterConfig{}),
	}
	w.exec(`INSERT INTO "Organization" ("id", "slug", "title") VALUES ($1, $1, 'x')`, n.org)
	w.exec(`INSERT INTO "Project" ("id", "slug", "name", "externalRef", "organizationId") VALUES ($1, $1, 'x', $1, $2)`, n.proj, n.org)
	w.exec(`INSERT INTO "RuntimeEnvironment" ("id", "slug", "apiKey", "pkApiKey", "type", "shortcode", "organizationId", "projectId")
		VALUES ($1, 'prod', $2, 'pk_' || $1, 'PRODUCTION', $1, $3, $4)`, n.env, n.key, n.org, n.proj)
	batchID := n.mint.Mint(runid.Legacy)
	var err error
	if n.batch, err = w.store.CreateBatch(w.t.Context(), runstore.NewBatch{ID: batchID, EnvironmentID: n.env, RunCount: 2}); err != nil {
		w.t.Fatal(err)
	}
	tags := []string{"a", "b"}
	n.legacy = n.create(runid.Legacy, runstore.NewRun{Tags: tags, BatchID: &batchID})
	n.v2 = n.create(runid.V2, runstore.NewRun{Tags: tags, BatchID: &batchID})
	n.bareLegacy, n.bareV2 = n.create(runid.Legacy, runstore.NewRun{}), n.create(runid.V2, runstore.NewRun{})
	return n
}

// create makes a run with the canary in its payload.
func (n tenant) create(table runid.Table, r runstore.NewRun) runstore.Run {
	n.w.t.Helper()
	r.ID, r.EnvironmentID, r.ProjectID, r.OrganizationID = n.mint.Mint(table), n.env, n.proj, n.org
	r.TaskIdentifier, r.TraceID, r.SpanID, r.Payload = "task-"+n.env, "t", "s", `{"canary":"`+n.canary+`"}`
	run, err := n.w.store.Create(n.w.t.Context(), r)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return run
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// token is a public token of the tenant with these scopes, good for an hour.
func (n tenant) token(scopes ...string) string {
	n.w.t.Helper()
	now := time.Now()
	return sign(n.w.t, n.key, auth.Token{EnvironmentID: n.env, Scopes: scopes, IssuedAt: now, Expires: now.Add(time.Hour)})
}

func sign(t *testing.T, key string, token auth.Token) string {
	t.Helper()
	text, err := auth.Sign(auth.Key(key), token)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// feeds are the paths of the tenant's feeds.
func (n tenant) feeds() map[string]string {
	return map[string]string{
		"legacy run": n.run(n.legacy), "v2 run": n.run(n.v2),
		"tags": "/realtime/v1/runs?tags=a", "all runs": "/realtime/v1/runs",
		"batch": "/realtime/v1/batches/" + n.batch.FriendlyID,
	}
}

func (tenant) run(r runstore.Run) string { return "/realtime/v1/runs/" + r.FriendlyID }

// message is one element of a body.
type message struct {
	Key     string             `json:"key"`
	Value   map[string]*string `json:"value"`
	Headers struct {
		Operation string `json:"operation"`
		Control   string `json:"control"`
		LSN       string `json:"global_last_seen_lsn"`
	} `json:"headers"`
}

// id is that of the row that a message is about.
func (m message) id() string { return strings.Trim(m.Key[strings.LastIndexByte(m.Key, '/')+1:], `"`) }

// decode gives the messages of a body; none if it is no list of them.
func decode(body string) []message {
	var out []message
	if json.Unmarshal([]byte(body), &out) != nil {
		return nil
	}
	return out
}

func (r reply) messages(t *testing.T) []message {
	t.Helper()
	out := decode(r.body)
	if out == nil {
		t.Fatalf("%d %.300q is no list of messages", r.status, r.body)
	}
	return out
}

// ids are those of the rows of a body, in its order.
func (r reply) ids(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, m := range r.messages(t) {
		if m.Headers.Operation != "" {
			ids = append(ids, m.id())
		}
	}
	return ids
}
