package platform

import "syscall"

// dieWithUs has the kernel kill a child when the thread that started it ends,
// and so when the test program is killed.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
