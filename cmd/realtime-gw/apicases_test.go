package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// apiUser uses the API of one environment, whose requests are counted.
type apiUser struct {
	t     *testing.T
	base  string
	of    schema.Demo
	store *runstore.Store
	pool  *pgxpool.Pool // not counted
	slots claims.Claims
	redis *redis.Client
	mint  *runid.Minter

	relatives runid.Table // where runs are that others are made of
	names     int
}

// apiCase is an operation of docs/trigger.md's table. What comes before it is done by
// prepare, whose result is counted.
type apiCase struct {
	prepare func(u *apiUser) (counted func())
	times   int  // how often it does it; 0: once
	waits   bool // for seconds, and makes nothing: it is done once
}

// plain is a case that needs nothing.
func plain(do func(u *apiUser)) apiCase {
	return apiCase{prepare: func(u *apiUser) func() { return func() { do(u) } }}
}

// ofRun is a case of a run that is there, with no relatives, and may be changed first.
func ofRun(set string, do func(u *apiUser, id string)) apiCase {
	return apiCase{prepare: func(u *apiUser) func() {
		run := u.run(nil, nil)
		if set != "" {
			u.set(run.FriendlyID, set)
		}
		return func() { do(u, run.FriendlyID) }
	}}
}

// withKey is a case of a key that has a run.
func withKey(change func(u *apiUser, run string)) apiCase {
	return apiCase{prepare: func(u *apiUser) func() {
		body := fmt.Sprintf(`{"options":{"idempotencyKey":%q}}`, u.name())
		change(u, u.trigger(body, u.of.APIKey))
		return func() { u.trigger(body, u.of.APIKey) }
	}}
}

const failed = `status = 'SYSTEM_FAILURE'`

// forget empties Redis, as it is when what was published has ended.
func (u *apiUser) forget() {
	if err := u.redis.FlushDB(u.t.Context()).Err(); err != nil {
		u.t.Fatal(err)
	}
}

var apiCases = map[string]apiCase{
	"trigger": plain(func(u *apiUser) { u.trigger(`{}`, u.of.APIKey) }),
	"trigger, of a parent": {prepare: func(u *apiUser) func() {
		parent := u.run(nil, nil)
		return func() { u.trigger(`{"options":{"parentRunId":"`+parent.FriendlyID+`"}}`, u.of.APIKey) }
	}},
	"trigger, with a new idempotency key": plain(func(u *apiUser) {
		u.trigger(fmt.Sprintf(`{"options":{"idempotencyKey":%q}}`, u.name()), u.of.APIKey)
	}),
	"trigger, with a key that has a run, within 30 s": withKey(func(*apiUser, string) {}),
	"trigger, with a key that has a run, later":       withKey(func(u *apiUser, _ string) { u.forget() }),
	"trigger, with a key whose run has failed, within 30 s": withKey(func(u *apiUser, run string) {
		u.set(run, failed)
	}),
	"trigger, with a key whose run has failed, later": withKey(func(u *apiUser, run string) {
		u.set(run, failed)
		u.forget()
	}),
	"trigger, with a one-time-use token": plain(func(u *apiUser) { u.trigger(`{}`, u.token()) }),
	"trigger, with key, token and parent": {prepare: func(u *apiUser) func() {
		parent, token := u.run(nil, nil), u.token()
		return func() {
			u.trigger(fmt.Sprintf(`{"options":{"idempotencyKey":%q,"parentRunId":%q}}`, u.name(), parent.FriendlyID), token)
		}
	}},
	"trigger, with a key or a token on which it waits in vain": {times: 2, waits: true, prepare: func(u *apiUser) func() {
		key, token := u.name(), u.token()
		sum := sha256.Sum256([]byte(token))
		for _, slot := range []claims.Slot{claims.ForKey(u.of.EnvironmentID, "task", key), claims.ForToken(hex.EncodeToString(sum[:]))} {
			if _, err := u.slots.Claim(u.t.Context(), slot, "another", time.Minute); err != nil {
				u.t.Fatal(err)
			}
		}
		return func() {
			var both sync.WaitGroup
			both.Go(func() {
				u.call(http.MethodPost, "/v1/tasks/task/trigger", fmt.Sprintf(`{"options":{"idempotencyKey":%q}}`, key), u.of.APIKey, http.StatusServiceUnavailable)
			})
			both.Go(func() { u.call(http.MethodPost, "/v1/tasks/task/trigger", `{}`, token, http.StatusServiceUnavailable) })
			both.Wait()
		}
	}},
	"batch, first phase": plain(func(u *apiUser) { u.batch(`{"runCount":3}`) }),
	"batch, first phase, of a parent": {prepare: func(u *apiUser) func() {
		parent := u.run(nil, nil)
		return func() { u.batch(`{"runCount":3,"parentRunId":"` + parent.FriendlyID + `"}`) }
	}},
	"batch, second phase, 3 items": {prepare: func(u *apiUser) func() { return u.items(u.batch(`{"runCount":3}`)) }},
	"batch, second phase, 3 items of a parent": {prepare: func(u *apiUser) func() {
		return u.items(u.batch(`{"runCount":3,"parentRunId":"` + u.run(nil, nil).FriendlyID + `"}`))
	}},
	"batch, second phase, sent again": {prepare: func(u *apiUser) func() {
		again := u.items(u.batch(`{"runCount":3}`))
		again()
		return again
	}},
	"cancel, of a run with no children": ofRun("", func(u *apiUser, id string) { u.post("/v2/runs/"+id+"/cancel", "") }),
	"cancel, of a run with 2 children": {prepare: func(u *apiUser) func() {
		parent := u.run(nil, nil)
		u.run(&parent, &parent)
		u.run(&parent, &parent)
		return func() { u.post("/v2/runs/"+parent.FriendlyID+"/cancel", "") }
	}},
	"reschedule": ofRun(`status = 'DELAYED', "delayUntil" = now() + interval '1 hour'`, func(u *apiUser, id string) {
		u.post("/v1/runs/"+id+"/reschedule", `{"delay":"2h"}`)
	}),
	"replay": ofRun("", func(u *apiUser, id string) { u.post("/v1/runs/"+id+"/replay", "") }),
	"tags":   ofRun("", func(u *apiUser, id string) { u.post("/v1/runs/"+id+"/tags", `{"tags":"new"}`) }),
	"metadata, replaced": ofRun("", func(u *apiUser, id string) {
		u.call(http.MethodPut, "/v1/runs/"+id+"/metadata", `{"metadata":{"a":1}}`, u.of.APIKey, http.StatusOK)
	}),
	"metadata, operations on the run": ofRun("", func(u *apiUser, id string) {
		u.call(http.MethodPut, "/v1/runs/"+id+"/metadata", `{"operations":[{"type":"set","key":"a","value":1}]}`, u.of.APIKey, http.StatusOK)
	}),
	"metadata, operations on the run, its parent and its root": {prepare: func(u *apiUser) func() {
		root := u.run(nil, nil)
		parent := u.run(&root, &root)
		run := u.run(&parent, &root)
		const set = `[{"type":"set","key":"a","value":1}]`
		return func() {
			u.call(http.MethodPut, "/v1/runs/"+run.FriendlyID+"/metadata", `{"operations":`+set+`,"parentOperations":`+set+`,"rootOperations":`+set+`}`, u.of.APIKey, http.StatusOK)
		}
	}},
	"reset of a key": {prepare: func(u *apiUser) func() {
		key := u.name()
		u.trigger(fmt.Sprintf(`{"options":{"idempotencyKey":%q}}`, key), u.of.APIKey)
		return func() { u.post("/v1/idempotencyKeys/"+key+"/reset", `{"taskIdentifier":"task"}`) }
	}},
}

// name is a new one.
func (u *apiUser) name() string {
	u.names++
	return fmt.Sprint("name", u.names)
}

// token is a public token that may be used once.
func (u *apiUser) token() string {
	u.t.Helper()
	token, err := auth.Sign(auth.Key(u.of.APIKey), auth.Token{
		EnvironmentID: u.of.EnvironmentID, Scopes: []string{"trigger:tasks", "read:runs:" + u.name()}, OneTimeUse: true, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return token
}

// run makes a run behind the API's back.
func (u *apiUser) run(parent, root *runstore.Run) runstore.Run {
	u.t.Helper()
	n := runstore.NewRun{
		ID: u.mint.Mint(u.relatives), EnvironmentID: u.of.EnvironmentID, ProjectID: u.of.ProjectID, TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s",
	}
	if parent != nil {
		n.ParentRunID, n.RootRunID = &parent.ID, &root.ID
	}
	run, err := u.store.Create(u.t.Context(), n)
	if err != nil {
		u.t.Fatal(err)
	}
	return run
}

// set changes a run behind the API's back.
func (u *apiUser) set(id, columns string) {
	u.t.Helper()
	for _, table := range runid.Tables() {
		if _, err := u.pool.Exec(u.t.Context(), `UPDATE `+table.SQL()+` SET `+columns+` WHERE "friendlyId" = $1`, id); err != nil {
			u.t.Fatal(err)
		}
	}
}

func (u *apiUser) post(path, body string) string {
	u.t.Helper()
	return u.call(http.MethodPost, path, body, u.of.APIKey, http.StatusOK)
}

func (u *apiUser) trigger(body, credential string) (id string) {
	u.t.Helper()
	return idIn(u.t, u.call(http.MethodPost, "/v1/tasks/task/trigger", body, credential, http.StatusOK))
}

func (u *apiUser) batch(body string) (id string) {
	u.t.Helper()
	return idIn(u.t, u.post("/v3/batches", body))
}

// items sends a batch's.
func (u *apiUser) items(batch string) func() {
	const lines = `{"index":0,"task":"task"}` + "\n" + `{"index":1,"task":"task"}` + "\n" + `{"index":2,"task":"task"}`
	return func() { u.post("/v3/batches/"+batch+"/items", lines) }
}

func idIn(t *testing.T, body string) string {
	t.Helper()
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.ID == "" {
		t.Fatalf("%v: %s", err, body)
	}
	return made.ID
}

// call makes a request that has to be answered with a status.
func (u *apiUser) call(method, path, body, credential string, status int) string {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.base+path, strings.NewReader(body))
	if err != nil {
		u.t.Error(err)
		return ""
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	if strings.HasSuffix(path, "/items") {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		u.t.Error(err)
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		u.t.Errorf("%s %s: %d %s, %v", method, path, res.StatusCode, text, err)
	}
	return string(text)
}
