package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/tests/npm"
)

// patience bounds each wait of a test for what should come at once. It is far
// above what anything takes, because machines that test are busy.
const patience = 60 * time.Second

// built is the path of what TestMain makes before any test runs: the program
// under test and the page's script.
var built struct{ program, script string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "realtime-gw-browser-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests/browser:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	pgtest.Main(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// prepare installs the packages, and makes what is built. The program gets the
// race detector if the tests have it: its reports are on standard error, where
// every test looks for them.
func prepare(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, name := range []string{"node", "npm", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing: run scripts/install-missing, on Debian and as root, or install it: %w", name, err)
		}
	}
	if err := npm.Install(ctx, "."); err != nil {
		return err
	}
	built.program, built.script = filepath.Join(dir, "realtime-gw"), filepath.Join(dir, "page.js")
	args := []string{"build", "-o", built.program}
	if raceDetector() {
		args = append(args, "-race")
	}
	if err := run(ctx, "go", append(args, "github.com/realtime-gw/realtime-gw/cmd/realtime-gw")...); err != nil {
		return err
	}
	// A package below the hooks imports node:http2, where it runs in Node.
	return run(ctx, filepath.Join("node_modules", ".bin", "esbuild"), "page.jsx", "--bundle", "--format=esm", "--jsx=automatic", "--minify",
		"--define:process.env.NODE_ENV=\"production\"", "--external:node:http2", "--log-level=warning", "--outfile="+built.script)
}

// run runs a command, whose output is in the error if it fails.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
