package auth_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

func TestScopes(t *testing.T) {
	runs, run := auth.Resource{Type: "runs"}, auth.Resource{Type: "runs", ID: "run_1"}
	tag := auth.Resource{Type: "tags", ID: "env:prod:eu"}
	for _, c := range []struct {
		scopes string // separated by spaces
		action string
		on     []auth.Resource
		want   bool
	}{
		{"read:runs", "read", []auth.Resource{runs}, true},
		{"read:runs", "read", []auth.Resource{run}, true},
		{"read:runs", "write", []auth.Resource{run}, false},
		{"read:runs:run_1", "read", []auth.Resource{run}, true},
		{"read:runs:run_1", "read", []auth.Resource{runs}, false}, // one run is not all runs
		{"read:runs:run_2", "read", []auth.Resource{run}, false},
		{"read:runs:run_1:x", "read", []auth.Resource{run}, false},
		{"read:tags:env:prod:eu", "read", []auth.Resource{tag}, true},
		{"read:tags:env", "read", []auth.Resource{tag}, false},
		{"read:tags", "read", []auth.Resource{run}, false},
		{"read:tags", "read", []auth.Resource{run, tag}, true}, // any one suffices
		{"read:all", "read", []auth.Resource{run}, true},
		{"read:all:run_2", "read", []auth.Resource{run}, true},
		{"read:all", "write", []auth.Resource{run}, false},
		{"*:runs", "trigger", []auth.Resource{run}, true},
		{"*:runs:run_1", "write", []auth.Resource{run}, true},
		{"*:tags", "write", []auth.Resource{run}, false},
		{"*:all", "write", []auth.Resource{run}, true},
		{"admin", "write", []auth.Resource{run}, true},
		{"admin", "write", nil, true},
		{"*:all", "write", nil, false},
		{"admin:runs", "write", []auth.Resource{run}, false},
		{"admin:", "write", []auth.Resource{run}, false},
		{"ADMIN Read:runs read:Runs read read: :runs read::run_1 read:runs: * :", "read", []auth.Resource{run, runs}, false},
		{"x:y read:runs:run_1", "read", []auth.Resource{run}, true},
		{"", "read", []auth.Resource{run, runs, {}}, false},
	} {
		if got := auth.ParseScopes(strings.Fields(c.scopes)).May(c.action, c.on...); got != c.want {
			t.Errorf("%q may %s %v: %v, want %v", c.scopes, c.action, c.on, got, c.want)
		}
	}
	if auth.ParseScopes([]string{"read:runs: "}).May("read", run, runs, auth.Resource{Type: "runs", ID: " "}) {
		t.Error("a scope with a blank id grants something")
	}
	if (auth.Scopes{}).May("read", run) || !auth.Everything().May("read", run) {
		t.Error("the zero Scopes must grant nothing, Everything all")
	}
}

// naiveMay reads the grammar once more, one scope and one resource at a time,
// by splitting on every colon.
func naiveMay(scopes []string, action string, on []auth.Resource) bool {
	for _, scope := range scopes {
		if scope == "admin" {
			return true
		}
		parts := strings.Split(scope, ":")
		if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
			continue
		}
		id := strings.Join(parts[2:], ":")
		if len(parts) > 2 && strings.TrimSpace(id) == "" {
			continue
		}
		if parts[0] != "*" && parts[0] != action {
			continue
		}
		for _, r := range on {
			if parts[1] == "all" || parts[1] == r.Type && (len(parts) == 2 || id == r.ID) {
				return true
			}
		}
	}
	return false
}

func TestScopesAgainstNaive(t *testing.T) {
	// Few words, so that the two sides meet often.
	word := rapid.SampledFrom([]string{"", "*", "all", "admin", "read", "write", "runs", "tags", "a", "a:b", " ", "b"})
	scope := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, "parts"), ":")
	})
	resource := rapid.Custom(func(t *rapid.T) auth.Resource {
		return auth.Resource{Type: word.Draw(t, "type"), ID: word.Draw(t, "id")}
	})
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.SliceOfN(scope, 0, 5).Draw(t, "scopes")
		action := rapid.SampledFrom([]string{"read", "write", "trigger"}).Draw(t, "action")
		on := rapid.SliceOfN(resource, 0, 3).Draw(t, "on")
		want := naiveMay(scopes, action, on)
		if want {
			granted++
		}
		if got := auth.ParseScopes(scopes).May(action, on...); got != want {
			t.Fatalf("%q may %s %v: %v, want %v", scopes, action, on, got, want)
		}
	})
	if granted == 0 {
		t.Error("no draw was granted anything: the test says nothing")
	}
}

// Any arbitrary text is read without a panic, and as the naive reading does.
func FuzzScopes(f *testing.F) {
	f.Add("read:runs:run_1", "read", "runs", "run_1")
	f.Add("read:tags:a:b", "read", "tags", "a:b")
	f.Add("*:all", "write", "x", "")
	f.Add("admin", "", "", "")
	f.Fuzz(func(t *testing.T, scope, action, kind, id string) {
		on := []auth.Resource{{Type: kind, ID: id}}
		if got, want := auth.ParseScopes([]string{scope}).May(action, on...), naiveMay([]string{scope}, action, on); got != want {
			t.Errorf("%q may %s %v: %v, want %v", scope, action, on, got, want)
		}
	})
}
