//go:build !linux

package redistest

import "syscall"

// followParent has nothing to ask of this kernel.
func followParent(*syscall.SysProcAttr) {}
