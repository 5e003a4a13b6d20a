package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// patience bounds each wait of a test for what should come at once. It is far
// above what anything takes, because machines that test are busy.
const patience = 2 * time.Minute

// binary is the path of the program under test, set by TestMain before any test
// runs.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "realtime-gw-clients-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests/clients:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	pgtest.Main(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// prepare builds the program and installs the clients. The program gets the race
// detector if the tests have it: its reports are on standard error, where every
// test looks for them.
func prepare(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := npm.Install(ctx, "."); err != nil {
		return err
	}
	binary = filepath.Join(dir, "realtime-gw")
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.CommandContext(ctx, "go", append(args, "github.com/realtime-gw/realtime-gw/cmd/realtime-gw")...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", build.Args, err, out)
	}
	return nil
}
