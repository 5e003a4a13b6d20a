package platform

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// patience bounds each wait of a test. It is far above what anything takes, because
// machines that test are busy.
const patience = 3 * time.Minute

// binary is the path of the program under test.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "realtime-gw-platform-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests/platform:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// prepare installs the SDK and builds the program, with the race detector if the
// tests have it: its reports are on standard error.
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
