// Package feeds is what can be subscribed to: one run, the runs with certain
// tags, the runs of a batch. It is the one door: whoever serves clients opens a
// Feed for what the client may see and asks the Service for the next Batch after
// the client's Place. Merging, upstreams and what stands in a cursor are known
// here and not above.
//
// A Feed is made from the request and from who asks, never from the cursor: its
// definitions hold the environment as a bound value, so whatever a cursor says,
// it selects a place in rows that the request may see.
//
// There is one spelling for each feed, because every spelling is another shape
// upstream: tags are sorted and deduplicated, columns have one order, a tag feed's
// window is rounded up to a fixed ladder, and its floor is rounded down to a
// 24th of the window, at least a minute. A feed may so reach back a little
// further than was asked. The floor is fixed when a client starts and carried in
// its handle; it is never computed again for the same handle.
//
// A feed of two tables opens those in which its environment has runs, and the
// other once it has some: a held reader gets its rows as inserts, and keeps its
// place.
//
// A Service remembers the feeds that were asked for lately (known.go), and a Feed what
// its clients have in common (common.go): definitions with a floor, and the places that
// were told last. Both are looked up by all that was sent and hold nothing of anybody
// who asks; what is not remembered is made anew and is the same.
package feeds
