// Package trigger makes runs, and changes those that are there, for the platform's
// API. It stands between the API, which knows HTTP and who may do what, and
// runstore, which knows the two tables and nothing of what a change means.
//
// # A new run
//
// Service.Trigger checks a Request, finds the parent, mints an id, and writes the
// row. The organization's flag decides which table a new run goes to. It is looked
// at in memory, at one place (Service.NewID): a trigger asks Postgres nothing about
// flags.
//
// A request may have an idempotency key: then the key's slot is claimed (package
// claims), both tables and the platform's trigger buffer are looked through, and a
// run is made only if none of them has a live one. A run whose key has expired, or
// that failed, gives its key up. A one-time-use token goes the same way, and its
// second use is ErrTokenUsed.
//
// Where claims cannot be had because Redis is down, a trigger goes on without. What
// is lost then is only what the two tables' own indexes cannot hold: a key, or a
// token, can get one run in each table, if the flag changes between two triggers
// that do not see each other. It is never two in one table.
//
// # Relatives
//
// Parent, root and children are pointers in rows, which may be stale or lead
// abroad. They are followed within the request's environment only, in both tables.
package trigger
