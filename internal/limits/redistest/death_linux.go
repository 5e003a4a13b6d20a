package redistest

import "syscall"

// followParent has the kernel kill the server when the thread that started it
// ends, and so when the tests are killed.
func followParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
