//go:build !linux

package limits_test

import "syscall"

// followParent has nothing to ask of this kernel.
func followParent(*syscall.SysProcAttr) {}
