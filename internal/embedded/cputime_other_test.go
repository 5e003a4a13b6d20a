//go:build !linux

package embedded

import (
	"testing"
	"time"
)

// cpuTime is the time of day, where there is no other.
func cpuTime(testing.TB) time.Duration { return time.Duration(time.Now().UnixNano()) }
