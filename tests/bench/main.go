package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// plan is what is measured.
type plan struct {
	program string // a built realtime-gw; "" builds it
	perf    string // where perf writes; "": it is not used
	rows    int    // of the large feed, in each table
	rounds  int    // of reading it whole
	blocks  int    // rounds of commits
	commits int    // of each block, even
}

func main() {
	var p plan
	flag.StringVar(&p.program, "program", "", "measure this build of realtime-gw instead of making one")
	flag.StringVar(&p.perf, "perf", "", "afterwards record the gateway's CPU time to this file while snapshots are read")
	flag.IntVar(&p.rows, "rows", 50_000, "rows of the large feed in each table; 0 leaves the snapshots out")
	flag.IntVar(&p.rounds, "rounds", 9, "how often the large feed is read in each way")
	flag.IntVar(&p.blocks, "blocks", 20, "rounds of commits; 0 leaves the latency out")
	flag.IntVar(&p.commits, "commits", 50, "commits that are measured in a round: with both subscribers, and with each alone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := p.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (p plan) run(ctx context.Context, out io.Writer) (err error) {
	st, err := start(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := st.stop(); err == nil {
			err = stopped
		}
	}()
	fmt.Fprintf(out, "# Benchmark\n\n`%s`\n\n%s\n", strings.Join(append([]string{"go run ./tests/bench"}, os.Args[1:]...), " "), machine(st))
	if p.blocks > 0 {
		if err := p.latency(ctx, st, out); err != nil {
			return fmt.Errorf("measuring latency: %w", err)
		}
	}
	if p.rows > 0 {
		if err := p.snapshots(ctx, st, out); err != nil {
			return fmt.Errorf("measuring snapshots: %w", err)
		}
	}
	fmt.Fprintf(out, "Load average at the end: %s\n", loadAverage())
	return nil
}
