package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// InUseError says that a live process is using the state directory.
type InUseError struct {
	Dir string // the state directory
	PID int    // the process, or 0 if it is not known
}

// Error says what to do about it, too.
func (e *InUseError) Error() string {
	by := "another process"
	if e.PID > 0 {
		by = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("localpg: %s is in use by %s: stop that first, or name another directory", e.Dir, by)
}

// takeLock gets the lock of a state directory, as a file that is open for as
// long as it is to be held. It is a flock, which belongs to the open file and
// not to a process: the server inherits the file, and so the lock ends with the
// last process that has it.
//
// If the lock's owner is dead and yet the lock is held, a server is about to
// follow its parent; takeLock waits for that, within ctx.
func takeLock(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("localpg: open the lock: %w", err)
	}
	if err := waitForLock(ctx, f, dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(fmt.Errorf("localpg: write the lock: %w", err), f.Close())
	}
	return f, nil
}

func waitForLock(ctx context.Context, f *os.File, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	// flock cannot be both waited for and given up, so it is asked for anew.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("localpg: lock %s: %w", f.Name(), err)
		}
		owner := readPID(f)
		if alive(owner) {
			return &InUseError{Dir: dir, PID: owner}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &InUseError{Dir: dir}
		}
	}
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID reads the process id at the start of a file, or 0.
func readPID(f *os.File) int {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	pid, err := strconv.Atoi(string(line))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
