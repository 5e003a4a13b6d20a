// Package simulate is the workload of the dev command: tasks that nobody wrote,
// run by workers that do not exist, so that a person who opens a subscription
// sees something alive.
//
// It makes runs in both tables through the run store and moves them through
// their life: attempts, metadata that changes on the way, outputs, failures,
// retries, cancellations, expiries; parents with children in the other table,
// and batches over both. Runs are over within seconds. At any moment the tag
// Tag is on runs of both tables that are still going.
//
// Two runs, one in each table, and the batch that they are in go on for as long
// as the simulation does: what the dev command prints for a person to follow is
// alive whenever they come to it. Simulation.Current names them.
//
// What happens is written beforehand, as stories (story.go): a pure function of
// a source of randomness gives the runs and what becomes of each, and when. The
// rest of the package performs stories on a store, several at a time. Runs that
// others end or delete meanwhile are left alone.
package simulate
