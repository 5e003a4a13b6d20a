// Package admission keeps the calls to one upstream below what that upstream admits.
//
// Electric takes so many requests at the same time, and answers the next with a 503.
// It counts those that name a handle that it knows apart from the others (its own words
// are existing and initial), so that shapes that have to be made do not take the place
// of those that are followed. This package does the same, with bounds a little lower,
// since others may ask the same Electric.
//
//	source := admission.New(admission.Config{Source: steady.New(...)})
//
// A call beyond a bound waits a little while for its turn, in the order in which they
// came, and then fails with *shapes.Unavailable. A call counts until all of its answer
// was read.
//
// It stands above package steady, not below: a call that is not made says nothing about
// how the upstream is doing, and must not open its circuit. So a call counts while steady
// makes it again, too: that is one request at a time.
package admission
