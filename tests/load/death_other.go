//go:build !linux

package main

import "syscall"

// followParent does nothing: only Linux tells a child of its parent's death.
func followParent(*syscall.SysProcAttr) {}
