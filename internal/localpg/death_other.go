//go:build !linux

package localpg

import "syscall"

// followParent does nothing: only Linux tells a process of its parent's death.
// After a kill -9 of the program, the state directory stays in use until the
// server it left behind is stopped by hand.
func followParent(*syscall.SysProcAttr) {}
