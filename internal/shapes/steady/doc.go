// Package steady asks a shapes.Source that fails now and then until it answers,
// so that its faults are not its readers'.
//
//	source := steady.New(steady.Config{Source: client})
//
// A call that fails with *shapes.Unavailable is made again until its context
// ends; every other outcome is the caller's at once. Nothing is ever reset because
// of a fault: a reader's place stays valid, and only the wait is longer. Down says
// whether a shape is failing at this moment, for a reader who cannot wait longer
// and has to say why. A body that breaks off is asked for again, and goes on where it
// was, unless it was given up because it does not end (shapes.ErrEndless): the next
// one would be as long.
//
// # How often
//
// While a shape fails, one call at a time is made for it, whoever the caller is,
// and at most two within a second; the others wait for what becomes of that one.
// (It is a second and a half here, so that it is one where the calls arrive.) The
// pause before the next grows from a quarter of a second to four, drawn at random
// from nothing up to that (full jitter), and is never shorter than the upstream's
// Retry-After. The first success lets the others through, two a second for ten seconds
// more, of which those do not count that have succeeded by then: an upstream may answer
// some of them and not others, for what they have to be told, and a held call says nothing
// for as long as there is no news.
//
// Each shape by itself would still be many when there are many. So when three
// have failed since anything last succeeded, the whole upstream counts as failing
// (the circuit is open): then those rules hold for all of its shapes together.
// One shape that fails alone, because of what is in it, slows down nobody else.
//
// The judgement is a state machine without clock, goroutine and lock (gates); Source
// is the shell around it.
package steady
