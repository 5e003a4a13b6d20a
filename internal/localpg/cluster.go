package localpg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// superuser is the one role of a cluster that initdb makes.
const superuser = "postgres"

// elsewhere keeps the clusters of state directories that the server's user
// cannot reach, such as one under /root.
const elsewhere = "/var/lib/realtime-gw"

// cluster is the place of a Postgres cluster on disk.
type cluster struct {
	state string // the state directory
	data  string // where the data is; state/data itself or where that points to
	owner account

	// orphan says that what is in data, if anything, belonged to a state
	// directory that was deleted and made again.
	orphan bool
}

func (c cluster) link() string     { return filepath.Join(c.state, "data") }
func (c cluster) password() string { return filepath.Join(c.state, "password") }

// locate says where the cluster of a state directory is, or is to be made.
func locate(state string) (cluster, error) {
	link := filepath.Join(state, "data")
	owner, err := serverAccount(link)
	if err != nil {
		return cluster{}, err
	}
	c := cluster{state: state, data: link, owner: owner}
	if target, err := os.Readlink(link); err == nil {
		c.data = target
		return c, nil
	}
	reached, err := owner.reaches(state)
	if err != nil {
		return c, fmt.Errorf("localpg: see who may enter %s: %w", state, err)
	}
	if !reached {
		c.data, c.orphan = away(state), true
	}
	return c, nil
}

// away names the place of a cluster that cannot be in its state directory.
func away(state string) string {
	return filepath.Join(elsewhere, fmt.Sprintf("%x", sha256.Sum256([]byte(state)))[:16])
}

// version is the major version of the cluster, or 0 if there is none.
func (c cluster) version() (int, error) {
	if c.orphan {
		return 0, nil
	}
	b, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("localpg: read the cluster's version: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("localpg: %s/PG_VERSION is not a version: %w", c.data, err)
	}
	return major, nil
}

// readPassword reads the password of a cluster that exists.
func (c cluster) readPassword() (string, error) {
	b, err := os.ReadFile(c.password())
	if err != nil {
		return "", fmt.Errorf("localpg: the cluster in %s is there and its password is not (%w): put the file back, or remove the state directory to start over", c.state, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// create makes the cluster and its password. It is made beside its place and
// moved there when whole, so that an interrupted start is simply done again.
func (c cluster) create(ctx context.Context, bin binaries, disposable bool) (password string, err error) {
	password = rand.Text()
	if err := os.WriteFile(c.password(), []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("localpg: keep the password: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.data), 0o711); err != nil {
		return "", fmt.Errorf("localpg: make the cluster's parent: %w", err)
	}
	fresh := c.data + ".new"
	if err := c.clear(fresh); err != nil {
		return "", err
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return "", fmt.Errorf("localpg: make the cluster's folder: %w", err)
	}
	if err := c.owner.own(fresh); err != nil {
		return "", fmt.Errorf("localpg: give the cluster's folder to the server's user: %w", err)
	}
	if err := c.initdb(ctx, bin, fresh, password, disposable); err != nil {
		return "", errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return "", fmt.Errorf("localpg: put the cluster in its place: %w", err)
	}
	if c.data != c.link() {
		if err := os.Symlink(c.data, c.link()); err != nil {
			return "", fmt.Errorf("localpg: note where the cluster is: %w", err)
		}
	}
	return password, nil
}

// clear makes room for a new cluster. It deletes only what this package made.
func (c cluster) clear(fresh string) error {
	err := os.RemoveAll(fresh)
	if c.orphan {
		err = errors.Join(err, os.RemoveAll(c.data))
	}
	if err != nil {
		return fmt.Errorf("localpg: remove what an earlier start left: %w", err)
	}
	if _, err := os.Lstat(c.data); err == nil {
		return fmt.Errorf("localpg: %s is there and is not a Postgres cluster: move it away, or name another state directory", c.data)
	}
	if c.data != c.link() {
		if err := os.Remove(c.link()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("localpg: remove the link to a cluster that is gone: %w", err)
		}
	}
	return nil
}

func (c cluster) initdb(ctx context.Context, bin binaries, into, password string, disposable bool) error {
	// initdb reads the password as the server's user, from a file.
	secret := into + ".password"
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("localpg: hand the password over: %w", err)
	}
	defer func() { _ = os.Remove(secret) }()
	if err := c.owner.own(secret); err != nil {
		return fmt.Errorf("localpg: hand the password over: %w", err)
	}
	args := []string{
		"--pgdata=" + into, "--username=" + superuser, "--pwfile=" + secret,
		"--auth-local=scram-sha-256", "--auth-host=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if disposable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
	cmd.Dir = into
	cmd.Env = environment(into)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner.credential(), Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("localpg: make a cluster in %s with %s: %w; it said:\n%s", c.data, cmd.Path, err, lastLines(string(out), 20))
	}
	return nil
}

// environment is that of the Postgres processes: nothing of the program's own,
// where PGDATA, PGOPTIONS or a locale would change what they do.
func environment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C", "TZ=UTC"}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
