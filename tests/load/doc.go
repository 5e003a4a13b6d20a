// Command load measures what the gateway does for its upstream and what it costs, under
// many clients and under one. It prints Markdown, and fails if a bound is missed.
//
//	go run ./tests/load                  # all of it
//	go run ./tests/load parked fanout    # some
//	go run ./tests/load -clients 1000    # with less clients, where there are many
//
// It builds the program and starts a private Postgres without syncing to disk,
// `realtime-gw shapes` as the upstream and `realtime-gw serve` in front of it, each in a
// process of its own. The clients are this process (crowd.go, client.go): each has a
// connection and a goroutine, and speaks HTTP/1.1 by hand. All processes end with this
// one, however it ends. All of it takes about a quarter of an hour. It needs Linux, and nginx.
//
// Everything that is compared is measured in one run and in turns, because a machine that
// is busy with something else is so for all of it: with a handler that does nothing but
// park and wake (bare.go), with the upstream asked directly, with this gateway without
// shared calls (naive.go), and with nginx. Trust the ratios. Figures of different runs are
// comparable only if the load that is printed is.
//
//	-program FILE   measures another build: how a change is judged
package main
