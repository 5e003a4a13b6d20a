// Package pace keeps calls apart that get nowhere.
//
// Who asks an upstream again because the last answer brought nothing asks as fast
// as the upstream answers, unless something holds him back. A [Pace] does: one call
// may go on at once from the answer to another, since that is how an answer in parts
// begins, and none after that before [Least] has passed. An answer that took that
// long holds nobody back, for the upstream held the call. A Pace knows nothing of what is
// asked, and is for one caller; calls that failed are another matter, for
// internal/shapes/steady.
//
// [Pause] is the wait itself, which ends early with its context.
package pace
