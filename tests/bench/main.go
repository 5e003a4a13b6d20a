// Command bench measures what the gateway costs: how much later news arrives
// than from the upstream itself, and how much longer it takes to read a large
// feed. It prints Markdown.
//
//	go run ./tests/bench
//
// It builds the program, starts a private Postgres without syncing to disk,
// `realtime-gw shapes` as the upstream and `realtime-gw serve` in front of it,
// each in a process of its own, and is the client of both. All of them end with
// it, however it ends. It takes about a minute and a half, and needs Linux for the
// figures of processes; elsewhere these are zero.
//
// Everything that is compared is measured in one run and in turns, because a
// machine that is busy with something else is so for all of it. Figures of
// different runs are comparable only if the load that is printed is.
//
//	-program FILE   measures another build: how a change is judged
//	-perf FILE      records where the gateway's CPU time goes, with Linux's perf
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
