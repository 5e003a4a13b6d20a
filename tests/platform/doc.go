// Package platform proves that the platform's own SDK, unmodified from npm, works
// against this program: user.mjs is a script as a user would write it, which
// triggers runs, reads and changes them, and follows what it does through
// subscriptions. inside.mjs puts code inside a run, as the platform's worker does.
//
// The program under test is `realtime-gw dev`: a private Postgres, the embedded
// upstream, the gateway with the API, and the worker that executes what is
// triggered. The test turns the organization's flag, as operators do, whenever the
// script asks for it, so that new runs go now to one table and now to the other.
//
// A benchmark beside it, on Linux, measures what triggers over HTTP take of Postgres,
// Redis, the program and its callers.
//
// Whatever the SDK prints to the console, and every error in the program's log, is
// a failure.
package platform
