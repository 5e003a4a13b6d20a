// Package merge reads the shapes of a feed, one in each run table, as one log.
//
// Merger.Next answers one request of one client: what follows this place, now
// or within a hold? It is a pure function, Step(state, event) -> state, effects,
// with a thin shell (Merger, and Held for each request) that reads, waits and keeps the
// time. A request may be begun by one goroutine and waited for by another, as long as one
// comes after the other: there is no lock in a Held, and nothing else touches it but
// reads, which hand in what they got through a channel.
//
// What a client is promised:
//
//   - It is told up to date only when every side is: one up-to-date message, last
//     in the body. A side is up to date when its last answer was, at the offset
//     held; that bit is part of the client's place (shapes.Progress).
//   - An answer that is not up to date moves the client.
//   - A live answer is not empty before the hold ends, unless it is the first to
//     say up to date after one that could not. (A side that is read on and is refused, or
//     led nowhere, ends the hold too, if it has moved.)
//   - One side's rotation is the feed's. Nothing else resets a client.
//   - Rows pass byte for byte and in the order of their side, but for the "last"
//     header. Between the sides there is no order.
//   - After the snapshots of all sides, one snapshot-end: xmin and xmax are the
//     least xmin of the sides' own, so that a transaction counts as visible only
//     if every side saw it. An end that came in a streamed body is not carried to
//     the next request; then none is sent. None is sent while a side is not opened: what it
//     will bring may be older.
//
// A body of up to PageBytes a side is held, and the answer is whole: that is how
// a small feed needs one round trip, with at most two reads of each side that has
// something. When a side has more, the answer is streamed as it arrives, the sides at the
// same time, and is never up to date.
//
// # The machine
//
// Phases down, events across. "-" changes nothing: the event cannot happen
// there. "proceed" is what comes after every answer of a side:
//
//   - a side that was read, is not up to date and moved is read further, unless a body
//     is too large to hold already: live with nothing in hand, as often as it takes;
//     else once more, and only if that can be had now;
//   - live with nothing to tell, a side that is up to date is waited for; there is
//     something to tell with something in hand, and when every side is up to date
//     that was not when the request came;
//   - then, while a read is out, the phase is Gathering (not live), Holding (live,
//     nothing to tell) or Completing (live, something to tell);
//   - with no read out: not live, answer. Live with something to tell, settle if
//     another side waits, else answer. Live with nothing to tell and a side
//     behind, answer. Otherwise Holding.
//
// "answer" is Answered, or Unavailable if the answer would neither be up to date
// nor move the client. "proceed or fail" proceeds if the side was being read on,
// and so has answered; otherwise the request is Unavailable. "answer or fail"
// answers, without rows, if the client is up to date or has moved.
//
//	            Begin  Whole    Large    News     Rotated  Failed           Gained  Settled  Expired
//	Idle        ask    -        -        -        -        -                -       -        -
//	Gathering   -      proceed  proceed  -        Refetch  proceed or fail  -       -        Unavailable
//	Holding     -      proceed  proceed  proceed  Refetch  proceed or fail  join    -        answer or fail
//	Completing  -      proceed  proceed  proceed  Refetch  proceed          -       -        answer
//	Settling    -      -        -        proceed  Refetch  proceed          -       answer   answer
//	Answered, Refetch, Unavailable: the end
//
// "ask" reads every opened side; live, it waits for those that are up to date.
// "join" opens a side that was not, and reads it: a feed whose environment has rows
// in one table only costs one shape, until it has some in the other. If the request
// ends before the side has answered, it was not opened. In other phases than
// Holding the client is about to come again, and the side is opened then.
// A side whose upstream fails is asked again below, where all readers of a shape
// are one; here it is a side that says nothing. When the hold ends, a side that is
// failing at that moment Failed before it Expired: it may have missed something.
package merge
