// Package flight lets many readers share one call to a shapes.Source.
//
// A flight is a held call at one position of one shape. Everybody who waits
// there holds a Ticket for it; when the call brings news the flight lands, and
// all its tickets have the same News. So the upstream sees one poll for each
// position that anybody waits at, however many wait.
//
//	g := flight.New(flight.Config{Source: client})
//	ticket := g.Join(def, pos)
//	defer ticket.Leave()
//	select {
//	case <-ticket.Landed():
//		news, err := ticket.Result()
//	case <-timeout:
//	}
//
// A flight is keyed by the definition's query, the handle and the offset. The
// definition holds everything that authorization depends on (the environment is
// a condition of every feed), so two readers share bytes only where both may
// see them.
//
// The call's context is the flight's own. An upstream time-out without news
// renews the call and answers nobody. When the last ticket is given back the
// call stays open for a few seconds more, so that a client between two polls
// finds it warm. A live answer that is not up to date, which Electric gives when
// a transaction is larger than its log chunk, is completed by reading on before
// the flight lands, within bounds.
//
// Nothing is asked again here: a Source that is patient (package steady) does so, and
// a flight over it lands with a fault only when it is closed, or refused by package
// admission.
//
// News that lands has a shapes.Framed, so that the body of an answer that brings it and
// nothing else is made once, by whoever is the first to be answered. Its lock is its own,
// and is held while the body is copied, of 256 KiB at most. What is joined of several
// pieces has another: who is told of one piece is not told the next.
//
// # The ring
//
// What flights brought lately is remembered, for each shape in a ring that is bounded
// in entries and bytes, and for all shapes in bytes. A piece of news is all there is
// between the position that its flight was joined at and its Next, to which nothing is
// ever added. So a reader who joins at a position at which a piece begins, because it
// was slow or came with another gateway's answer, gets that and every piece that begins
// exactly where the one before it ends, as one News, without a call. It is not told
// less than the flight's own readers were, and hears the rest at its next position.
//
// One piece that is too large for a ring is remembered beside it, the last, if it is not more
// than a 16th of what all rings may have. So readers who fall behind a ring cost one call for
// each place that they are at, and not one each: those who come while the call is out share
// the flight, and those who come later are told what it brought. Its frame is not made
// once, as it is too large to be copied, but its bytes are there once.
//
// A ring is of one handle. It is cleared when a flight or a read says that the handle was
// rotated, and when news of another handle lands. That the handle is gone is remembered as
// long as the shape is: everybody at a place of it is told so at once. It has to be so for
// streams. Their readers move only when they are told that they are up to date. If the news
// of one side, from its ring, came before the rotation of the other, again and again, they
// would never hear of it.
//
// # Reads
//
// Identical reads that are out at the same time share one call, if its body is small
// enough to be held whole: thousand browsers that open the same page cost one read of
// its snapshot, and one that reads slowly delays no other, since the body is read into
// memory first. What a reader gets may not be older than what the upstream would say if
// it asked now: who has committed a row and subscribes then must find it. So there are
// two cases for a reader who comes when a call has been sent:
//
//   - The answer does not end with up-to-date. It is what stands between two positions of
//     one shape, and does not claim to be more; the reader has to read on, and does so in
//     a call that is sent later. Every first answer of Electric is of this kind. (If the
//     shape was rotated in between, that next call says so.) It is good for all who wait.
//   - It does: it may be older than the reader. Those who came late have their seats in
//     the next call, which is sent when this one ends, once for all of them.
//
// A fault is not shared with who came late either. A body that grows beyond the bound is
// given to one of the readers for whom the call was made: the messages that are held
// already, then the rest as it arrives. Nobody has been given any part of it before, so
// nothing is lost or sent twice. The others each read alone, without waiting for more.
//
// The memory in which a large body was begun is used for the next one (buffers). That of a
// body which was held whole is not: nobody knows who of its readers still has rows of it.
//
// # One environment and the others
//
// Shapes, calls and new shapes are counted by Definition.Environment. What is beyond
// PerEnvironment fails with *shapes.Limited, for that environment alone. Joining a flight
// that is in the air, reading from a ring and sharing a read cost nothing, and are never
// refused.
//
// What is refused costs nothing either, or an environment beyond its bounds would get less
// than they say. So the shapes of one feed are begun together (Seats): if one is too much,
// none is asked for. All of them are let in by what one of them takes of the new shapes in a
// second, and the environment owes the rest.
//
// # Races
//
// There is one lock, Group.mu; nothing is asked or waited for while it is held. It
// decides:
//
//   - Joining against landing: a flight leaves the air and its news enters the ring in one
//     step (fly), so a reader either has a seat or finds the news. Nobody starts a call for
//     what has just come.
//   - Joining against the end of the linger: the queue gives up a flight (abandon), or the
//     reader takes it out of the queue (Join), whoever is first. A flight that was given up
//     is out of the air at once, and what its call may still bring is dropped.
//   - Landing against rotation: the handle that is gone is noted (ring.gone), so that news of
//     it that lands later does not begin a new ring.
//   - A reader of a shared call who leaves, against its end: sharedRead.ended says who was
//     first (await). After the end the reader takes its share like the others, and closes
//     it; before, it gives back its seat, and the last one to do so ends the call, which is
//     out of shape.reads in the same step.
//   - Coming against the end of a shared call: it leaves shape.reads, the next one enters
//     and done is closed in one step (end). Who comes later cannot join what was sent
//     before.
//   - Several readers for one large body: the first to come takes it (take).
//   - Asking against forgetting: a shape is in the queue of those to forget only while
//     nothing is out for it (settle), and is looked up and used under the same hold of the
//     lock.
//
// Each has tests in races_test.go that have the two come in the order that would do harm, unless
// the machine is so busy that one overtakes the other, which shows as nothing; that of rotation
// is in TestMemoryEndsWithTheHandle.
//
// News and batches are immutable once they are shared: what is dropped from a ring stays
// with the readers who have it. A ticket says how many waited (Ticket.Crowd), so that
// what is left to do for one of them can wait until all were told.
package flight
