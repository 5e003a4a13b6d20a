package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

const forbidden = `{"error":"Unauthorized","code":"unauthorized","param":"access_token","type":"authorization"}`

// What opens each route, and what does not, is the platform's list. One of a
// list is enough; an id opens nothing but itself.
func TestScopes(t *testing.T) {
	w := newWorld(t, settings{})
	n := w.ours
	everywhere := []string{"admin", "read:all", "*:all", "read:runs", "*:runs", "read:all:x"}
	nowhere := []string{
		"", "read", "read:", "read::", "runs", "all", "write:runs", "trigger:all", "write:all", "Read:runs", "read:Runs", " read:runs", "read:runs ",
		"admin:", "admin:all", "read:runs:", "read:run", "read:*", "read:queues", "read:runs:*", "read:batch:batch_x", "read:tags:c", "read:tags:A", "read:tags:a:b",
		"read:tasks:task-env_theirs", "read:runs:" + w.theirs.v2.FriendlyID, "read:batch:" + w.theirs.batch.FriendlyID,
	}
	for _, c := range []struct {
		path       string
		opens, not []string
	}{
		{
			path:  n.run(n.legacy),
			opens: []string{"read:runs:" + n.legacy.FriendlyID, "read:tasks:task-env_ours", "read:tasks", "read:tags:a", "read:tags:b", "read:tags", "read:batch:" + n.batch.FriendlyID, "read:batch", "*:tags:a"},
			not:   []string{"read:runs:" + n.v2.FriendlyID, "read:runs:" + n.legacy.ID, "read:batch:" + n.batch.ID},
		},
		{
			path:  n.run(n.v2),
			opens: []string{"read:runs:" + n.v2.FriendlyID, "read:tasks:task-env_ours", "read:tags:b", "read:batch:" + n.batch.FriendlyID},
			not:   []string{"read:runs:" + n.legacy.FriendlyID, "read:runs:" + n.v2.ID},
		},
		{ // without tags and batch there are fewer ways
			path:  n.run(n.bareV2),
			opens: []string{"read:runs:" + n.bareV2.FriendlyID, "read:tasks:task-env_ours"},
			not:   []string{"read:tags", "read:tags:a", "read:batch", "read:batch:" + n.batch.FriendlyID},
		},
		{
			path:  "/realtime/v1/runs?tags=a,b",
			opens: []string{"read:tags", "read:tags:a", "read:tags:b", "*:tags"},
			not:   []string{"read:runs:" + n.v2.FriendlyID, "read:tasks", "read:tasks:task-env_ours", "read:batch", "read:batch:" + n.batch.FriendlyID, "read:tags:a,b"},
		},
		{ // all runs
			path:  "/realtime/v1/runs",
			opens: []string{"read:tags", "read:runs"},
			not:   []string{"read:tags:a", "read:runs:" + n.v2.FriendlyID, "read:tasks", "read:batch"},
		},
		{ // no text is no filter
			path: "/realtime/v1/runs?tags=",
			not:  []string{"read:tags:", "read:tags:a"},
		},
		{
			path:  "/realtime/v1/batches/" + n.batch.FriendlyID,
			opens: []string{"read:batch", "read:batch:" + n.batch.FriendlyID},
			not:   []string{"read:batch:" + n.batch.ID, "read:runs:" + n.legacy.FriendlyID, "read:tags", "read:tags:a", "read:tasks:task-env_ours"},
		},
	} {
		path := with(c.path, "offset=-1")
		for _, scope := range append(everywhere, c.opens...) {
			for _, scopes := range [][]string{{scope}, {"write:runs", "read:queues", scope}} {
				if got := w.get(path, n.token(scopes...)); got.status != http.StatusOK {
					t.Errorf("%q does not open %s: %d %s", scopes, c.path, got.status, got.body)
				}
			}
		}
		for _, scope := range append(nowhere, c.not...) {
			if got := w.get(path, n.token(scope)); got.status != http.StatusForbidden || got.body != forbidden {
				t.Errorf("%q on %s: %d %.200s, want the 403", scope, c.path, got.status, got.body)
			}
		}
		if got := w.get(path, n.token(nowhere...)); got.status != http.StatusForbidden {
			t.Errorf("all that opens nothing opens %s", c.path)
		}
		if got := w.get(path, n.token()); got.status != http.StatusForbidden {
			t.Errorf("no scopes open %s", c.path)
		}
		if got := w.get(path, n.key); got.status != http.StatusOK {
			t.Errorf("the key does not open %s", c.path)
		}
	}
}

// A tag that holds a colon is a tag.
func TestScopesOfTagsWithColons(t *testing.T) {
	w := newWorld(t, settings{})
	if got := w.get("/realtime/v1/runs?offset=-1&tags=user:1", w.ours.token("read:tags:user:1")); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := w.get("/realtime/v1/runs?offset=-1&tags=user:1", w.ours.token("read:tags:user")); got.status != 403 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What a token hides stays hidden, whatever the request wishes.
func TestSkipColumns(t *testing.T) {
	w := newWorld(t, settings{})
	now := time.Now()
	hides := func(columns ...string) string {
		return sign(t, w.ours.key, auth.Token{
			EnvironmentID: w.ours.env, Scopes: []string{"read:runs"}, SkipColumns: columns, IssuedAt: now, Expires: now.Add(time.Hour),
		})
	}
	for name, c := range map[string]struct {
		credential, query string
		there, gone       []string
	}{
		"nobody skips":     {w.ours.key, "", []string{"payload", "output", "ttl", "realtimeStreams"}, nil},
		"request":          {w.ours.key, "skipColumns=payload,output", []string{"ttl"}, []string{"payload", "output"}},
		"token":            {hides("payload"), "", []string{"output"}, []string{"payload"}},
		"token wins":       {hides("payload"), "skipColumns=output", []string{"output"}, []string{"payload"}},
		"token wants all":  {hides([]string{}...), "skipColumns=output", []string{"output", "payload"}, nil},
		"not the reserved": {hides("id", "status", "payload"), "", []string{"id", "status", "friendlyId", "taskIdentifier", "createdAt"}, []string{"payload"}},
		"not by name":      {w.ours.key, `skipColumns=PAYLOAD,"payload",*`, []string{"payload"}, nil},
	} {
		for feed, path := range w.ours.feeds() {
			got := w.fresh(with(path, c.query), c.credential)
			schema := got.header.Get("Electric-Schema")
			for _, m := range got.messages(t) {
				if m.Headers.Operation == "" {
					continue
				}
				for _, column := range c.there {
					if _, ok := m.Value[column]; !ok {
						t.Errorf("%s, %s: no %s", name, feed, column)
					}
				}
				for _, column := range c.gone {
					if _, ok := m.Value[column]; ok || strings.Contains(schema, `"`+column+`"`) {
						t.Errorf("%s, %s: %s is there", name, feed, column)
					}
				}
			}
		}
	}
}
