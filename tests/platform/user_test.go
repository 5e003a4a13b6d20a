package platform

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const adminToken = "the-operators-token-of-tests-platform"

// dev is what the program says of itself in dev.json.
type dev struct {
	URL            string
	APIKey         string
	OrganizationID string
}

// startDev starts the program, and returns when it says that it is ready.
func startDev(t *testing.T) dev {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(binary, "dev", "--addr", "127.0.0.1:0", "--dir", dir, "--no-simulate")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_ADMIN_TOKEN=" + adminToken}
	ready := make(chan struct{}, 100)
	c := startChild(t, "the program", cmd, func([]byte) {
		select {
		case ready <- struct{}{}: // dev.json is there before the last line is printed
		default:
		}
	}, func(line []byte) {
		var entry struct{ Level string }
		if json.Unmarshal(line, &entry) != nil || entry.Level == "error" {
			t.Errorf("the program: %s", line)
		}
	})
	late := time.After(patience)
	for {
		var d dev
		if text, err := os.ReadFile(filepath.Join(dir, "dev.json")); err == nil && json.Unmarshal(text, &d) == nil {
			t.Cleanup(func() { c.interrupt(t) })
			return d
		}
		select {
		case <-ready:
		case <-c.done:
			t.Fatal("the program ended before it was ready")
		case <-late:
			t.Fatal("the program did not become ready")
		}
	}
}

// turn sets the organization's flag, as an operator does.
func (d dev) turn(t testing.TB, on bool) {
	t.Helper()
	url := d.URL + "/admin/v1/orgs/" + d.OrganizationID + "/run-table-v2"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(fmt.Sprintf(`{"runTableV2":%v}`, on)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("the flag is not turned: %d %s", res.StatusCode, body)
	}
}

// A user's script comes through all its steps, with runs in both tables, and the
// SDK prints nothing.
func TestUser(t *testing.T) {
	d := startDev(t)
	source, err := os.ReadFile("user.mjs")
	if err != nil {
		t.Fatal(err)
	}
	steps := len(regexp.MustCompile(`(?m)^  async "`).FindAll(source, -1))
	cmd := exec.Command("node", "user.mjs")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TRIGGER_API_URL=" + d.URL, "TRIGGER_SECRET_KEY=" + d.APIKey}
	said := make(chan []byte, 100)
	user := startChild(t, "the user", cmd, func(line []byte) { said <- line }, func(line []byte) { t.Errorf("the user's console: %s", line) })
	var done []string
	var legacy, v2 int
	late := time.After(patience)
	for {
		var line []byte
		select {
		case line = <-said:
		case <-late:
			t.Fatalf("after %q, the next step did not end in %s", done, patience)
		case <-user.done:
			if len(said) > 0 {
				continue
			}
			if code := user.cmd.ProcessState.ExitCode(); code != 0 || len(done) != steps || steps < 9 || legacy < 10 || v2 < 10 {
				t.Errorf("exit code %d after %d of %d steps, %q, with %d runs in the legacy table and %d in the other", code, len(done), steps, done, legacy, v2)
			}
			return
		}
		var word struct {
			Flag       *bool
			Step       string
			Legacy, V2 int
		}
		switch err := json.Unmarshal(line, &word); {
		case err != nil:
			t.Errorf("the user's console: %s", line)
		case word.Flag != nil:
			d.turn(t, *word.Flag)
			if _, err := user.stdin.Write([]byte("{}\n")); err != nil {
				t.Error(err)
			}
		case word.Step != "":
			t.Log(word.Step)
			done = append(done, word.Step)
		default:
			legacy, v2 = word.Legacy, word.V2
		}
	}
}
