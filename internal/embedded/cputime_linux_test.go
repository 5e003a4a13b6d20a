package embedded

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is how long the calling thread has run, which other programs do not
// change by being in its way.
func cpuTime(t testing.TB) time.Duration {
	const ofThread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(ofThread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
