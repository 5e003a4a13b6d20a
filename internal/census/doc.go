// Package census knows in which run table an environment has runs: a feed of an
// environment with runs in one table only needs one shape upstream.
//
// It is known by looking, never by a flag: runs of either format can appear at any
// time. Where an environment was seen to have runs it has them for good, which
// costs nothing any more; a table that has lost them costs a shape.
//
// A reader who starts asks Has, which looks if it has to: what was committed before
// is seen. A reader who is held watches: every Period one query looks for all
// environments that are watched, and closes the channels of those that gained a
// table. So a held reader hears of the first run in a second table at most Period,
// and the time of a query, late; in all the life of an environment that is once.
//
// There is never more than one query at a time, however many ask: who comes while
// one is under way is served by the next, together with all others.
package census
