// Package cursor writes and reads the continuation that a client of a feed
// carries: everything the gateway needs to go on, so that it keeps nothing
// itself. It does nothing else.
//
// The client holds three strings and returns them without looking inside.
//
//	offset  the places in both shapes, packed into one decimal number and
//	        followed by "_0". This is Electric's own grammar, because clients
//	        in SSE mode replace their offset by "<global_last_seen_lsn>_0":
//	        with that number as global_last_seen_lsn they keep their place.
//	handle  the rest: the upstream handles, the feed's pinned floor, what is
//	        known of snapshots, a nonce, and a code that only this gateway can
//	        make. The code also covers the fingerprint of the feed, so a handle
//	        opens no other feed and no other environment.
//	cursor  a number that changes with every live answer (Live).
//
// The offset is not authenticated: a client that changes it moves its own place
// within its own feed, which where clause and table keep it in.
//
// The layout of the number, lowest bits first: for each side four bits, of which
// the lowest three are the kind and the fourth is set if the side is up to date;
// then, by kind, 32 bits of a snapshot's chunk, 64 of a transaction, or 64 and 32
// of a change in the log. There is one number for a state and one text for a
// number; anything else is refused.
//
// The layout of the handle, before base64: one byte of version, then varints:
// nonce, floor in seconds since 1970, least xmin; then both upstream handles, as
// two numbers where they have Electric's form and as text where not; then 16
// bytes of HMAC-SHA256. A new version is written only from the release after the
// one that can read it, so that gateways of two releases can share their clients.
package cursor
