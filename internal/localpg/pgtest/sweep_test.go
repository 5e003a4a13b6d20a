package pgtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

func TestSweep(t *testing.T) {
	in, err := os.MkdirTemp("", "pgtest-sweep-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(in) })
	if err := os.Chmod(in, 0o711); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	want := map[string]bool{"realtime-gw-pgtest-dead": false, "realtime-gw-pgtest-live": true, "realtime-gw-pgtest-young": true, "another": true}
	for name := range want {
		if err := os.MkdirAll(filepath.Join(in, name), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	live, err := localpg.Start(t.Context(), localpg.Config{Dir: filepath.Join(in, "realtime-gw-pgtest-live"), Disposable: true})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if name == "realtime-gw-pgtest-young" {
			continue
		}
		old := now.Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(in, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep(t.Context(), in, now)
	for name, stays := range want {
		if _, err := os.Stat(filepath.Join(in, name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := live.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
