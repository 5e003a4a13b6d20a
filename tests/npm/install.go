package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stamp holds the digest of the lock that node_modules was installed from.
const stamp = "node_modules/.installed-from"

// Install makes dir's node_modules what its package-lock.json says, if it is not.
// Several programs may do so at once. Where there is no Node, Debian's is installed
// before, which root can.
func Install(ctx context.Context, dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // and with it the lock
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the folder %s: %w", dir, err)
	}
	if err := installNode(ctx); err != nil {
		return err
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	have, err := os.ReadFile(filepath.Join(dir, stamp))
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := run(ctx, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		return fmt.Errorf("%w\nThe tests need the packages of %s from an npm registry", err, filepath.Join(dir, "package-lock.json"))
	}
	return os.WriteFile(filepath.Join(dir, stamp), []byte(want), 0o644)
}

// installNode installs Debian's Node where there is none.
func installNode(ctx context.Context) error {
	_, noNode := exec.LookPath("node")
	_, noNPM := exec.LookPath("npm")
	if noNode == nil && noNPM == nil {
		return nil
	}
	_, noApt := exec.LookPath("apt-get")
	if noApt != nil || os.Geteuid() != 0 {
		return errors.New("node and npm are needed and at least one is missing: install Node 18.20 or newer, or run the tests as root on Debian")
	}
	if err := run(ctx, ".", "apt-get", "update"); err != nil {
		return err
	}
	return run(ctx, ".", "apt-get", "install", "--yes", "--no-install-recommends", "nodejs", "npm")
}

// run runs a command, whose output is in the error if it fails.
func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// Version is that of a package in dir's node_modules.
func Version(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json"))
	if err != nil {
		return "", err
	}
	var manifest struct{ Version string }
	err = json.Unmarshal(text, &manifest)
	return manifest.Version, err
}
