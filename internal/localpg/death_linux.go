package localpg

import "syscall"

// followParent has the kernel send the server SIGQUIT when the thread that
// started it ends, and so when the program is killed. SIGQUIT is Postgres's
// immediate shutdown: it waits for no client, where a gentler one would wait on
// a replication client that does not read. The next start replays the log.
func followParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
