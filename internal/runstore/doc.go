// Package runstore reads and writes runs in the two run tables as one store, and
// the batches beside them.
//
// Which table a run is in is said by its id alone (package runid), so whatever
// names a run asks exactly one table, once. The statements for both tables are
// written in one place, statements.go, and differ in the table's name only; it
// comes from runid.Table and never from outside. One suite of tests runs against
// both.
//
// Every statement names the environment, on reads and writes: with another
// environment's run in hand, or a pointer that went stale, the answer is
// ErrNotFound.
//
// # Reading
//
// A read that cannot name a table looks into both, in one statement: a Query is a
// Filter, an order and a limit, and no SQL. Two tables have one order in common,
// by creation and then by the bytes of the id, so that is the order in which they
// are paged; what has no one answer over two tables is a *SpanError and not a
// guess. A run that is in both tables is v2's. docs/runstore.md has a table of all
// methods, with what each asks, locks and answers, and what was measured.
//
// # Writing
//
// A row is changed by statements that each leave it as a reader may see it: a
// final status comes together with the output or the error, because clients
// stop following a run at its final status. The store sets "updatedAt" itself.
//
// It does not look at the status that a run has before a change. Whoever moves a
// run through its life holds the platform's lock on that run; the store is told
// what happened and writes it down. Whoever has no such lock uses
// Store.WithLocked, and looks at the status first. Two changes are made to runs
// that nobody holds and look for themselves: a run that waits for a version is
// promoted, or expires, only while it waits. Metadata has a lock of its own, its
// version, since tasks, parents and the API all write it.
//
// Execution snapshots and waitpoints are the platform's. It writes them in the
// same transaction, for which there is Store.In.
package runstore
