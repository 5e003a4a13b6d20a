// Package clients proves that the gateway serves clients that know nothing of
// it: the platform's SDK and Electric's client, of the generation that the SDK
// brings along and of the newest, as npm has them and in Node.
//
// TestClients runs every scenario with every client and prints a table of what
// went well. Each pair has a stack of its own: a database, `realtime-gw shapes`
// as the upstream and `realtime-gw serve`, all as processes, so that any of them
// can be killed. The client runs in one more process, a driver (sdk.mjs,
// shapestream.mjs) that says what it sees, a JSON object a line; the test writes
// to the database and waits until what the client holds is what a SELECT over
// both tables gives, column by column.
//
// TestWatch runs watch.mjs, which is written as a user would write it, against
// `realtime-gw dev`.
//
// Nothing is skipped: where Node is missing and cannot be installed, the tests
// fail and say what to do. The packages that package-lock.json names are
// installed when the folder node_modules is not that of the lock.
package clients
