package clients

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

// installClients makes node_modules what package-lock.json says. Several test
// programs may do so at once.
func installClients(ctx context.Context) error {
	folder, err := os.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close() // and with it the lock
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the folder tests/clients: %w", err)
	}
	if err := installNode(ctx); err != nil {
		return err
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	have, err := os.ReadFile(stamp)
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := runCommand(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		return fmt.Errorf("%w\nThe tests need the packages of tests/clients/package-lock.json from an npm registry", err)
	}
	return os.WriteFile(stamp, []byte(want), 0o644)
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
	if err := runCommand(ctx, "apt-get", "update"); err != nil {
		return err
	}
	return runCommand(ctx, "apt-get", "install", "--yes", "--no-install-recommends", "nodejs", "npm")
}

// runCommand runs a command, whose output is in the error if it fails.
func runCommand(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// installed is the version of a package in node_modules.
func installed(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join("node_modules", name, "package.json"))
	if err != nil {
		return "", err
	}
	var manifest struct{ Version string }
	err = json.Unmarshal(text, &manifest)
	return manifest.Version, err
}
