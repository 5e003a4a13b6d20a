package platform_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// A payload is stored as it was meant: SDKs send a text and its type, others
// anything.
func TestPayloads(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ body, payload, of, shown string }{
		{`{}`, `{}`, "application/json", `{}`},
		{`{"payload":null}`, `null`, "application/json", `null`},
		{`{"payload":{"b":1,"a":2}}`, `{"b":1,"a":2}`, "application/json", `{"b":1,"a":2}`},
		{`{"payload":"{\"a\":1}"}`, `{"a":1}`, "application/json", `{"a":1}`},
		{`{"payload":"{\"a\":1}","options":{"payloadType":"application/json"}}`, `{"a":1}`, "application/json", `{"a":1}`},
		{`{"payload":"no JSON"}`, `"no JSON"`, "application/json", `"no JSON"`},
		{`{"payload":""}`, `""`, "application/json", `""`},
		{`{"payload":"a text","options":{"payloadType":"text/plain"}}`, `a text`, "text/plain", `"a text"`},
		{`{"payload":"{\"json\":{\"d\":1},\"meta\":{}}","options":{"payloadType":"application/super+json"}}`, `{"json":{"d":1},"meta":{}}`, "application/super+json", `{"d":1}`},
		{`{"payload":"packets/x","options":{"payloadType":"application/store"}}`, `packets/x`, "application/store", ``},
		{`{"PAYLOAD":1,"Options":{"ttl":"x"}}`, `{}`, "application/json", `{}`},
	} {
		var made struct{ ID string }
		w.call(http.MethodPost, "/api/v1/tasks/task/trigger", c.body).into(t, http.StatusOK, &made)
		id, err := runid.ParseRun(made.ID)
		if err != nil {
			t.Fatal(err)
		}
		run, err := w.store.FindByFriendlyID(t.Context(), w.demo.EnvironmentID, id)
		if err != nil || run.Payload != c.payload || run.PayloadType != c.of {
			t.Errorf("%s is stored as %s, %s, %v", c.body, run.Payload, run.PayloadType, err)
		}
		got := w.call(http.MethodGet, "/api/v3/runs/"+made.ID, nil)
		if c.shown != "" && !strings.Contains(got.body, `"payload":`+c.shown) || c.shown == "" && strings.Contains(got.body, `"payload"`) {
			t.Errorf("%s is shown in %s", c.body, got.body)
		}
	}
}

// Metadata that is null is none, as on the platform.
func TestMetadataNull(t *testing.T) {
	w := newWorld(t)
	id, err := runid.ParseRun(w.trigger("task", object{"metadata": nil}))
	if err != nil {
		t.Fatal(err)
	}
	if run, err := w.store.FindByFriendlyID(t.Context(), w.demo.EnvironmentID, id); err != nil || run.Metadata != nil {
		t.Errorf("%v, %v", run.Metadata, err)
	}
}

// A backslash before u0000 is a text of six characters, and no NUL.
func TestContextWithABackslash(t *testing.T) {
	w := newWorld(t)
	const context = `{"a\\u0000": "b\\\\u0000\\"}`
	var made struct{ ID string }
	w.call(http.MethodPost, "/api/v1/tasks/task/trigger", `{"context":`+context+`}`).into(t, http.StatusOK, &made)
	id, err := runid.ParseRun(made.ID)
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.store.FindByFriendlyID(t.Context(), w.demo.EnvironmentID, id)
	if err != nil || !sameJSON(string(run.Context), context) {
		t.Errorf("the context is %s, %v", run.Context, err)
	}
}

// What a credential may do to runs is what its scopes say; what keys alone may do,
// no token may; and the answer to a trigger has a token for its run alone.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	run := w.trigger("task", object{"tags": []string{"t"}})
	of := "/api/v1/runs/" + run
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	for _, c := range []struct {
		scope, method, path, body string
		status                    int
	}{
		{"read:runs", get, "/api/v3/runs/" + run, "", 200},
		{"read:runs:" + run, get, "/api/v3/runs/" + run, "", 200},
		{"read:tasks:task", get, "/api/v3/runs/" + run, "", 200},
		{"read:tags:t", get, "/api/v3/runs/" + run, "", 200},
		{"read:tags:u", get, "/api/v3/runs/" + run, "", 403},
		{"write:runs", get, "/api/v3/runs/" + run, "", 403},
		{"read:runs:" + run, get, of + "/result", "", 404},
		{"read:tags:u", get, of + "/result", "", 403},
		{"trigger:tasks:task", post, "/api/v1/tasks/task/trigger", "{}", 200},
		{"trigger:tasks", post, "/api/v1/tasks/task/trigger", "{}", 200},
		{"write:tasks", post, "/api/v1/tasks/task/trigger", "{}", 200},
		{"trigger:tasks:task", post, "/api/v1/tasks/other/trigger", "{}", 403},
		{"batchTrigger:tasks:task", post, "/api/v1/tasks/task/trigger", "{}", 403},
		{"read:tasks", post, "/api/v1/tasks/task/trigger", "{}", 403},
		{"batchTrigger:tasks:task", post, "/api/v3/batches", `{"runCount":1,"taskIdentifiers":["task"]}`, 200},
		{"batchTrigger:tasks:task", post, "/api/v3/batches", `{"runCount":1,"taskIdentifiers":["task","other"]}`, 403},
		{"batchTrigger:tasks:task", post, "/api/v3/batches", `{"runCount":1}`, 403},
		{"batchTrigger:tasks:task", post, "/api/v2/tasks/batch", `{"items":[{"task":"task"},{"task":"other"}]}`, 403},
		{"read:runs", post, "/api/v2/runs/" + run + "/cancel", "", 403},
		{"admin", post, of + "/reschedule", `{"delay":"1h"}`, 401},
		{"admin", post, of + "/replay", "", 401},
		{"admin", post, of + "/tags", `{"tags":"x"}`, 401},
		{"admin", get, of + "/metadata", "", 401},
		{"admin", put, of + "/metadata", `{"metadata":{}}`, 401},
		{"admin", post, "/api/v1/idempotencyKeys/k/reset", `{"taskIdentifier":"task"}`, 401},
		{"admin", post, "/api/v1/auth/jwt/claims", "", 401},
		{"write:runs:" + run, post, "/api/v2/runs/" + run + "/cancel", "", 200},
		{"write:tasks:task", post, "/api/v2/runs/" + run + "/cancel", "", 200},
	} {
		got := w.call(c.method, c.path, c.body, "Authorization", w.token(auth.Token{Scopes: []string{c.scope}}))
		if got.status != c.status {
			t.Errorf("%s: %s %s %s: %d %s, instead of %d", c.scope, c.method, c.path, c.body, got.status, got.body, c.status)
		}
	}
	for name, c := range map[string]struct{ authorization, says string }{
		"no key":    {"", "Invalid or Missing API key"},
		"wrong key": {"Bearer tr_dev_wrong", "Invalid API key"},
	} {
		if got := w.call(post, "/api/v1/tasks/task/trigger", "{}", "Authorization", c.authorization); got.status != 401 || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	var made struct{ ID string }
	got := w.call(post, "/api/v1/tasks/task/trigger", "{}", "Origin", "https://app.example")
	got.into(t, 200, &made)
	token := "Bearer " + got.header.Get("X-Trigger-Jwt")
	for path, status := range map[string]int{"/api/v3/runs/" + made.ID: 200, "/api/v3/runs/" + run: 403} {
		if got := w.call(get, path, nil, "Authorization", token); got.status != status {
			t.Errorf("with the token of %s, %s is %d %s", made.ID, path, got.status, got.body)
		}
	}
	if claims := got.header.Get("X-Trigger-Jwt-Claims"); claims != fmt.Sprintf(`{"sub":"%s","pub":true}`, w.demo.EnvironmentID) {
		t.Errorf("the claims are %s", claims)
	}
	if exposed := got.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "x-trigger-jwt,") {
		t.Errorf("a script of another origin may read %q", exposed)
	}
}

// A run's result is there when it is over, in the form that SDKs check.
func TestResult(t *testing.T) {
	w := newWorld(t)
	output := `{"done":1}`
	for status, want := range map[runstore.Status]string{
		runstore.CompletedSuccessfully: `{"ok":true,"id":"%s","taskIdentifier":"task","output":"{\"done\":1}","outputType":"application/json"}`,
		runstore.CompletedWithErrors:   `{"ok":false,"id":"%s","taskIdentifier":"task","error":{"type": "STRING_ERROR", "raw": "why"}}`,
		runstore.Canceled:              `{"ok":false,"id":"%s","taskIdentifier":"task","error":{"type":"INTERNAL_ERROR","code":"TASK_RUN_CANCELLED"}}`,
		runstore.Crashed:               `{"ok":false,"id":"%s","taskIdentifier":"task","error":{"type":"INTERNAL_ERROR","code":"UNSPECIFIED_ERROR"}}`,
	} {
		run := w.trigger("task", nil)
		if got := w.call(http.MethodGet, "/api/v1/runs/"+run+"/result", nil); got.status != 404 || got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("before its end: %d %s", got.status, got.body)
		}
		id, err := runid.ParseRun(run)
		if err != nil {
			t.Fatal(err)
		}
		key := runstore.Key{EnvironmentID: w.demo.EnvironmentID, ID: id.Suffix()}
		switch status {
		case runstore.CompletedSuccessfully:
			_, err = w.store.CompleteAttemptSuccess(t.Context(), key, runstore.Success{Output: &output})
		case runstore.Canceled:
			_, err = w.store.Cancel(t.Context(), key, runstore.Cancellation{Error: runstore.StringError("Canceled by user")})
		case runstore.CompletedWithErrors:
			_, err = w.store.FailPermanently(t.Context(), key, runstore.Failure{Status: status, Error: runstore.StringError("why")})
		default:
			_, err = w.store.FailPermanently(t.Context(), key, runstore.Failure{Status: status})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := w.call(http.MethodGet, "/api/v1/runs/"+run+"/result", nil), fmt.Sprintf(want, run); !sameJSON(got.body, want) {
			t.Errorf("%s is %s instead of %s", status, got.body, want)
		}
	}
}
