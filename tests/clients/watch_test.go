package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// over are the statuses that the SDK has for a run that is over.
var over = []string{"COMPLETED", "FAILED", "CANCELED", "EXPIRED", "TIMED_OUT", "CRASHED", "SYSTEM_FAILURE"}

// sighting is a line of watch.mjs.
type sighting struct{ feed, id, status string }

// TestWatch runs the script of a user against the dev command, on an empty
// machine so to say, until it has seen runs of both tables come to their end.
func TestWatch(t *testing.T) {
	t.Parallel()
	dev := startDev(t)
	seen := make(chan sighting, 10_000)
	cmd := exec.Command("node", "watch.mjs", filepath.Join(dev, "dev.json"))
	cmd.Dir = userProject(t)
	script := startChild(t, "watch.mjs", cmd,
		func(line []byte) {
			if f := strings.Fields(string(line)); len(f) >= 4 {
				seen <- sighting{f[0], f[1], f[3]}
			} else {
				t.Errorf("watch.mjs printed %q", line)
			}
		},
		func(line []byte) { t.Errorf("watch.mjs printed to the console: %s", line) })

	going := make(map[string]bool) // runs that were seen before their end
	updates := make(map[string]int)
	missing := make(map[string]bool)
	both(func(table runid.Table) {
		for _, what := range []string{"a run of %v that ended while it was watched by tag", "three states of one run of %v in the batch", "three states of the run of %v that is watched alone"} {
			missing[fmt.Sprintf(what, table)] = true
		}
	})
	late := time.After(patience)
	for len(missing) > 0 {
		select {
		case s := <-seen:
			id, err := runid.ParseRun(s.id)
			if err != nil {
				t.Fatal(err)
			}
			updates[s.feed+s.id]++
			switch over := slices.Contains(over, s.status); {
			case s.feed == "tag" && !over:
				going[s.id] = true
			case s.feed == "tag" && going[s.id]:
				delete(missing, fmt.Sprintf("a run of %v that ended while it was watched by tag", id.Home()))
			case s.feed == "batch" && updates[s.feed+s.id] == 3:
				delete(missing, fmt.Sprintf("three states of one run of %v in the batch", id.Home()))
			case s.feed == "run" && updates[s.feed+s.id] == 3:
				delete(missing, fmt.Sprintf("three states of the run of %v that is watched alone", id.Home()))
			}
		case <-script.done:
			t.Fatalf("watch.mjs ended; still missing: %v", missing)
		case <-late:
			t.Fatalf("in %s watch.mjs did not see %v", patience, missing)
		}
	}
}

// userProject is a directory with watch.mjs, and the newest SDK under its own
// name.
func userProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("watch.mjs")
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := filepath.Abs(filepath.Join("node_modules", latestSDK))
	if err != nil {
		t.Fatal(err)
	}
	scope := filepath.Join(dir, "node_modules", "@trigger.dev")
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "watch.mjs"), text, 0o644),
		os.MkdirAll(scope, 0o755),
		os.Symlink(sdk, filepath.Join(scope, "sdk")),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startDev starts the dev command in an empty directory, and returns the one of
// its state when it is ready.
func startDev(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	cmd := exec.Command(binary, "dev", "--fresh", "--dir", dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=0s"}
	ready := make(chan struct{})
	c := startChild(t, "realtime-gw dev", cmd, func(line []byte) {
		if string(line) == "realtime-gw is ready." {
			close(ready)
		}
	}, func(line []byte) {
		var entry struct{ Level string }
		if json.Unmarshal(line, &entry) != nil || entry.Level == "error" {
			t.Errorf("dev: %s", line)
		}
	})
	t.Cleanup(func() { c.interrupt(t) }) // and its Postgres with it, before the directory is removed
	select {
	case <-ready:
	case <-c.done:
		t.Fatalf("dev ended:\n%s", c.errors())
	case <-time.After(patience):
		t.Fatal("dev did not become ready")
	}
	return dir
}
