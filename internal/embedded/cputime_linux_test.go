package embedded

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is how long the calling thread has run, which other programs do not
// change by being in its way. Getrusage says it too, in steps of a tick.
func cpuTime(t testing.TB) time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at); err != nil {
		t.Fatal(err)
	}
	return time.Duration(at.Nano())
}
