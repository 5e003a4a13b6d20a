package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// plan is what is measured, and how much of it.
type plan struct {
	program     string // a built realtime-gw; "" builds it
	most        int    // clients at the same time
	rounds      int
	rows        int  // of the large feed, in each table
	changes     int  // commits in a round of latency
	untimed     bool // bounds that depend on how fast the machine is are not asked for
	race        bool // the program is built with the race detector
	descriptors int  // that a process may have
}

// benchmark is one that can be chosen by its name.
type benchmark struct {
	name, about string
	run         func(*lab, context.Context) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"polls", "upstream requests per commit, by how many clients there are", (*lab).polls},
		{"day", "shapes of a feed that clients join all day", (*lab).day},
		{"leave", "what remains of clients who have left", (*lab).leave},
		{"parked", "memory of clients that wait", (*lab).parked},
		{"fanout", "from a commit to the last of many clients", (*lab).fanout},
		{"latency", "how much later one client has a commit", (*lab).latency},
		{"snapshot", "reading a feed of many rows", (*lab).snapshot},
		{"runs", "clients who share nothing", (*lab).runs},
		{"noisy", "one environment that asks for too much, and others", (*lab).noisy},
	}
}

// partVariable says in the environment of a child which part of this program it is.
const partVariable = "LOAD_PART"

func main() {
	if part := os.Getenv(partVariable); part != "" {
		exit(playPart(part))
	}
	var p plan
	flag.StringVar(&p.program, "program", "", "measure this build of realtime-gw instead of making one")
	flag.IntVar(&p.most, "clients", 10_000, "how many clients there are at most")
	flag.IntVar(&p.rounds, "rounds", 5, "how often each thing is measured, in turn")
	flag.IntVar(&p.rows, "rows", 50_000, "rows of the large feed in each table")
	flag.IntVar(&p.changes, "commits", 100, "commits that one client hears in a round")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: load [flags] [benchmark ...]\n\nWithout a name all are run:")
		for _, b := range benchmarks() {
			fmt.Fprintf(os.Stderr, "  %-9s %s\n", b.name, b.about)
		}
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := p.run(ctx, os.Stdout, flag.Args())
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run runs the benchmarks of these names, or all. Its error says which bounds were missed.
func (p plan) run(ctx context.Context, out io.Writer, names []string) (err error) {
	var chosen []benchmark
	for _, name := range names {
		i := slices.IndexFunc(benchmarks(), func(b benchmark) bool { return b.name == name })
		if i < 0 {
			return fmt.Errorf("there is no benchmark %q: see -h", name)
		}
		chosen = append(chosen, benchmarks()[i])
	}
	if chosen == nil {
		chosen = benchmarks()
	}
	if p.descriptors, err = raise(); err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // the clients' garbage is not what is measured
	l, err := open(ctx, p, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.say("# Benchmarks\n\n`%s`\n\n%s\n", strings.Join(append([]string{"go run ./tests/load"}, os.Args[1:]...), " "), l.machine())
	for _, b := range chosen {
		began, host, children := time.Now(), hostedSoFar(), len(l.children)
		l.say("## %s: %s\n\n", b.name, b.about)
		err := b.run(l, ctx)
		err = errors.Join(err, l.stop(l.children[children:]...))
		l.children = l.children[:children]
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		l.say("Took %.0f s; load average now: %s; of the processor time that was wanted, the host of this machine gave to others: %s\n\n",
			time.Since(began).Seconds(), loadAverage(), hostedSoFar().since(host))
	}
	if len(l.missed) > 0 {
		return fmt.Errorf("bounds that were missed:\n  %s", strings.Join(l.missed, "\n  "))
	}
	return nil
}
