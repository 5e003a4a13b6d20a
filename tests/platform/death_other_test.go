//go:build !linux

package platform

import "syscall"

// dieWithUs cannot do on this system what it does on Linux: children of a test
// program that is killed live on.
func dieWithUs() *syscall.SysProcAttr { return nil }
