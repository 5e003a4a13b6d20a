package main

import "syscall"

// followParent has the kernel kill the child when the bench is killed itself.
func followParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
