package oracle

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// buildProgram builds realtime-gw, so that gateways can be killed as processes
// are.
func buildProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "realtime-gw")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/realtime-gw")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// startProcess runs realtime-gw serve, and returns when it listens.
func startProcess(t *testing.T, binary, databaseURL, origin string) *instance {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), binary, "serve")
	cmd.Env = append(os.Environ(), "REALTIME_GW_ADDR=127.0.0.1:0", "DATABASE_URL="+databaseURL, "ELECTRIC_ORIGIN="+origin,
		"REALTIME_GW_CURSOR_KEYS="+hex.EncodeToString(cursorKey), "REALTIME_GW_METRICS_ADDR=off", "REALTIME_GW_DRAIN=1s")
	// It does not outlive a test program that was killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(addr)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Message, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "serving" {
				addr <- line.Addr
			}
		}
		_ = cmd.Wait()
	}()
	kill := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	select {
	case at, ok := <-addr:
		if !ok {
			t.Fatal("realtime-gw serve ended before it served")
		}
		return &instance{
			url: "http://" + at,
			drain: func(most time.Duration) {
				_ = cmd.Process.Signal(syscall.SIGTERM)
				late := time.AfterFunc(most, kill)
				defer late.Stop()
				<-ended
			},
			kill: kill,
		}
	case <-time.After(patience):
		kill()
		t.Fatal("realtime-gw serve did not start")
		return nil
	}
}
