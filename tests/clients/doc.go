// Package clients proves that the gateway serves clients that know nothing of
// it: every generation of the platform's SDK and of Electric's client that is in
// use, and TanStack DB, as npm has them and in Node.
//
// TestClients runs a dozen scenarios. Each has one stack: a database, `realtime-gw
// shapes` as the upstream and `realtime-gw serve`, all as processes, so that any
// of them can be killed. All clients follow the same feeds of it at the same time,
// each in one more process, a driver (sdk.mjs, shapestream.mjs, tanstack.mjs), which
// says what it sees, a JSON object a line. The test writes to the database, once,
// and waits until what each client holds is what a SELECT over both tables gives,
// column by column, as that client shows it (want_test.go, sdkruns_test.go). A
// client that fails is named, with what it held instead, and leaves the crowd; the
// others go on. Whatever a client prints by itself is a failure too.
//
// The table of who came through what is printed, and left in tests/.cache/clients.txt
// for `make test`. A "-" is something that a client has no way to do; the reasons
// are in clients_test.go and under the table.
//
// It takes 200 seconds of processor time with the race detector, three quarters of
// them Node's. One scenario with some of the clients, by their npm names and versions:
//
//	CLIENTS='sdk 3|client 0.6.3' go test -race -v -run 'TestClients/with/public' ./tests/clients
//
// TestWatch runs watch.mjs, which is written as a user would write it, against
// `realtime-gw dev`.
//
// Nothing is skipped: where Node is missing and cannot be installed, the tests
// fail and say what to do. The packages that package-lock.json names are
// installed when the folder node_modules is not that of the lock, which takes some
// minutes.
package clients
