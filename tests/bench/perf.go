package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
)

// record has perf watch a child while work runs. What it writes is read with
// `perf report -i FILE`. It ends with the child, if the bench is killed.
func record(ctx context.Context, file string, c *child, work func() error) error {
	perf := exec.CommandContext(ctx, "perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-g", "-o", file, "-p", strconv.Itoa(c.pid))
	perf.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := perf.Start(); err != nil {
		return fmt.Errorf("start perf, which is in Debian's linux-perf: %w", err)
	}
	err := work()
	_ = perf.Process.Signal(syscall.SIGINT)
	_ = perf.Wait() // it ends with the signal it was sent
	return err
}
