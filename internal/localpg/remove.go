package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove deletes the cluster of a state directory, wherever it is, and its
// password, so that the next Start makes another. The directory itself and its
// lock stay: a lock that is deleted while someone waits for it locks nothing.
// A directory that does not exist is no error; one in use is an *InUseError.
func Remove(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("localpg: find state directory: %w", err)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := takeLock(ctx, dir)
	if err != nil {
		return err
	}
	// The password goes last: a cluster without one cannot be used, and one
	// that was deleted by half is deleted on by the next Remove.
	for _, path := range []string{
		away(dir), away(dir) + ".new",
		filepath.Join(dir, "data"), filepath.Join(dir, "data.new"), filepath.Join(dir, "password"),
	} {
		if err := os.RemoveAll(path); err != nil {
			return errors.Join(fmt.Errorf("localpg: delete the cluster of %s: %w", dir, err), lock.Close())
		}
	}
	return lock.Close()
}
