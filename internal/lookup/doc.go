// Package lookup finds runs and batches without asking the database on every
// poll. A subscription asks for the same run each time it has been answered,
// only to learn again what hardly changes: that it exists, where, and through
// what it may be read.
//
// What is remembered of a run or batch is as old as five seconds: a tag that is
// put on a run opens it to the readers of that tag within that time, and a run
// that is deleted is still found for as long. That there is none is remembered
// for one second, and only for those who ask in the same environment.
//
// Nothing here says who may see what: the environment is part of every
// question, and the caller checks scopes against what is found each time.
package lookup
