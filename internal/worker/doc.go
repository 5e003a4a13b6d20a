// Package worker is the worker of the dev command: it executes the runs that the
// platform's API has made, without anybody's code, so that whoever triggers a task
// there sees it through to an end.
//
// The name of the task says what happens. A run of a task whose name begins with
//
//	fail   fails, after as many attempts as it may have, or two
//	wait   is put aside for the milliseconds that its payload {"ms": n} says, or an
//	       hour, and then succeeds
//	idle   is not taken by any worker, so that its ttl can pass
//
// and all others succeed, with the payload as their output. Runs are delayed,
// expire by their ttl, and are left alone once somebody has canceled them. A batch
// is completed when its last run is over.
//
// A worker keeps nothing that is not in the tables: the status of a run says what
// comes next. So it takes up what another left when the program ended.
package worker
