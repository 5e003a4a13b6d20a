// Package runid knows the ids of runs and batches: which table a run lives in,
// how an id is shown to users, and how a new one is made.
//
// The format of a run's id is the only record of where the run lives: a KSUID
// lives in task_run_v2, everything else in "TaskRun". There is no registry to
// ask and nothing to fall back to, so Home is total: every string, a hostile
// one included, has exactly one home.
//
// Users see friendly ids, "run_<id>" and "batch_<id>". For most rows the part
// after the underscore is the row's id, but not for the oldest runs, whose
// friendly id was drawn on its own. Look a row up by its "friendlyId" column in
// the table that Friendly.Home names; never turn a friendly id into an id.
//
// Everything but Minter is a pure function or a value.
package runid
