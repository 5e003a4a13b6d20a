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
