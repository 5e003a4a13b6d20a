package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/localpg"
)

// dirPattern is the name of a cluster's folder, as os.MkdirTemp takes it.
const dirPattern = "realtime-gw-pgtest-*"

// sweep deletes the clusters of test programs that were killed: their servers
// ended with them, and their files stayed. A folder that is young may be one
// that another program has made and not locked yet. Whatever cannot be deleted
// is left for another time: it is not this program's.
func sweep(ctx context.Context, in string, now time.Time) {
	const young = 10 * time.Minute
	dirs, _ := filepath.Glob(filepath.Join(in, dirPattern)) // the pattern is good
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || now.Sub(info.ModTime()) < young {
			continue
		}
		if localpg.Remove(ctx, dir) == nil { // and so nobody has it
			_ = os.RemoveAll(dir)
		}
	}
}
