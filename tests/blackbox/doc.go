// Package blackbox holds tests of the gateway from outside: HTTP against the
// whole handler, with a real Postgres, the embedded shape server and real
// authentication. A test says in its name what is proven; the harness
// (world_test.go) puts the parts together as the program does.
package blackbox
