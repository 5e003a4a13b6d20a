package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// clearStale removes the postmaster.pid of a server that is gone. It is called
// with the lock held, so no server of this package is running; but the process
// id in the file may be another process's by now, and Postgres would then refuse
// to start. A server that someone started on the same cluster by hand is found
// by its working directory, which for Postgres is the cluster.
func (c cluster) clearStale() error {
	path := filepath.Join(c.data, "postmaster.pid")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("localpg: look for another server: %w", err)
	}
	pid := readPID(f)
	if err := f.Close(); err != nil {
		return err
	}
	if alive(pid) {
		there, err := worksIn(pid, c.data)
		if there {
			return &InUseError{Dir: c.state, PID: pid}
		}
		if err != nil {
			return nil // cannot tell: Postgres decides
		}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("localpg: remove the lock file of a server that is gone: %w", err)
	}
	return nil
}

// worksIn says whether the process's working directory is dir.
func worksIn(pid int, dir string) (bool, error) {
	cwd, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		return false, err
	}
	want, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	return os.SameFile(cwd, want), nil
}
