package embedded

import (
	"sync/atomic"
)

// ledger counts what the shapes take up. Everything that keeps bytes for a shape
// says so here, and takes it back when it lets go.
type ledger struct {
	memory atomic.Int64 // logs, changes kept aside, small snapshots
	disk   atomic.Int64 // bytes of snapshots in files
	files  atomic.Int64
}

// noRoomError says which bound keeps a shape from being made. It is a 503: the
// shapes that are there go on, and room may come.
type noRoomError struct{ what string }

func (e *noRoomError) Error() string {
	return "no room for another shape: " + e.what + ". Ask again later, raise the bound, or use Electric"
}

// lack names the first bound that leaves no room for another shape with shapes
// of them there, or returns nil.
func (c *Config) lack(shapes int, l *ledger) *noRoomError {
	switch {
	case shapes >= c.MaxShapes:
		return &noRoomError{"as many shapes as are allowed are in use"}
	case l.memory.Load() >= c.MemoryBytes:
		return &noRoomError{"the logs of the shapes in use fill their memory"}
	case l.files.Load() >= int64(c.MaxFiles):
		return &noRoomError{"as many snapshots as are allowed are in files"}
	case l.disk.Load() >= c.FileBytes:
		return &noRoomError{"the snapshots of the shapes in use fill their space on disk"}
	}
	return nil
}

const (
	someMargin   = 64 // for the next shapes
	coarseMargin = 2  // when a snapshot was too large for what was left
)

// tight says of which bounds there is little left.
type tight struct{ shapes, memory, files, disk bool }

// tight looks at the bounds from one part in margin below, so that not every new
// shape has to ask somebody to make way.
func (c *Config) tight(shapes int, l *ledger, margin int64) tight {
	near := func(n, bound int64) bool { return n >= bound-bound/margin }
	return tight{
		shapes: near(int64(shapes), int64(c.MaxShapes)),
		memory: near(l.memory.Load(), c.MemoryBytes),
		files:  near(l.files.Load(), int64(c.MaxFiles)),
		disk:   near(l.disk.Load(), c.FileBytes),
	}
}
