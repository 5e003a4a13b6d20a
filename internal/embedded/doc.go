// Package embedded is a shape server that speaks the HTTP protocol of Electric
// 1.7.12 for the run tables, in the gateway's own process. It is the upstream of
// `dev`, of tests and of installations on one machine; a larger one puts Electric
// in its place, behind the same client.
//
// # What it serves
//
// GET and HEAD of /v1/shape and /v1/health, and OPTIONS. A shape is a selection
// of one table's columns and rows:
//
//	table     one of Config.Tables; ordinary tables, not partitioned ones
//	columns   names, which must include the primary key; none means all
//	where     conditions joined by AND, values by params[n] alone; none means all rows:
//	            "column" = $n               on text
//	            "column" @> ARRAY[$n,...]   on text[]
//	            "column" > $n               on timestamp and the integers
//	          of text is equal what is equal byte for byte; a column whose collation
//	          says otherwise cannot be tested
//	log       full
//
// Everything else that Electric knows (other conditions, offset=now,
// log=changes_only, replica=full, subsets, live_sse, POST) is a 400 in Electric's
// form that says so; DELETE is its 405. tests/transcripts holds what Electric
// answered, and TestConformance replays it and lists every difference.
//
// The electric-server header is realtime-gw-embedded/<version>, the version being
// that of the Electric whose protocol is spoken.
//
// # How a snapshot joins the log
//
// A shape is a snapshot and a log. Every transaction must be in exactly one of
// them, whichever of the two it reaches first:
//
//  1. The shape has a connection to Postgres and is registered. From here on it is
//     told of every change that is read from the replication slot, and keeps them
//     aside (phase joining). The ids of the transactions of which something had
//     been read before are noted, that of the moment among them.
//  2. The table is locked against ALTER and TRUNCATE and a REPEATABLE READ snapshot
//     is taken. If it does not see one of the noted transactions (a commit can be
//     read from the log a moment before other sessions see it), it is given up and
//     taken again: the shape was not told of all of that one.
//  3. What the snapshot sees is known now: xmin, xmax, xip. Of the transactions
//     kept aside, those that it sees are dropped, the others go to the log, in
//     commit order. From here on (phase following) transactions go to the log as
//     they come; one that the snapshot sees can still come late and is dropped.
//     Ids in the log have 32 bits, those of the snapshot 64; an id is given the
//     epoch that puts it nearest to xmax, and is not looked at any more once the
//     log has passed the position at which the snapshot was taken.
//  4. The rows are read and cut into chunks, while the log grows on its own.
//
// So no row is lost, none comes twice, and an update is never sent for a row whose
// insert was not.
//
// A transaction is not collected before it is looked at: each change goes to the
// shapes that it concerns as it is read, is encoded there, and is shown to readers
// at the commit. When the connection is lost half way, it is taken back, and comes
// again.
//
// # Logs and chunks
//
// A log entry is one encoded message at its offset <commit LSN>_<operation>. A
// chunk ends with the message that fills it (Config.ChunkBytes), wherever in a
// transaction that may be, and once and for all: a read goes from its offset to
// the end of the chunk in which it begins. A live answer can therefore be not up
// to date, as Electric's.
//
// global_last_seen_lsn is the commit of the newest transaction that touched the
// tables, not the end of the WAL: it grows when a row of another shape changes,
// and not when another table does.
//
// # Rotation
//
// TRUNCATE, a change of a selected or tested column (of any, when all are
// selected) noticed at the first write after it, and a gap in replication end a
// shape. What the log does not tell counts as a gap and is noticed within five
// seconds: a table that was dropped or made anew, or a column that was dropped and
// added again under its name. One thing is not noticed: ALTER COLUMN TYPE with a
// USING that changes values and keeps the type.
//
// Held readers get a 409 without a handle, later ones a 409 that names the
// new shape. A restart of the server loses all shapes, because they live in
// memory: one 409 for every reader.
//
// When the database cannot be followed any more (another instance has the slot, a
// table no longer logs old rows), there is nothing that could be told truly: every
// request, a held one too, is a 503 from then on, and Server.Done is closed.
//
// # Goroutines and locks
//
// One goroutine reads the slot and writes all logs (follower.go), one for each new
// shape takes its snapshot (snapshot.go), and every request runs on its caller's.
// Server.mu guards which shapes there are and is taken before shape.mu, which
// guards what one shape holds. Readers wait on a channel that is closed when their
// shape changes: there is no polling, and no timer but that of the hold. Bounds
// are looked at when something is added: a shape, a transaction.
//
// # What is bounded, and how
//
// The ledger (bounds.go) counts what shapes take up: their number, the bytes of
// logs and small snapshots in memory, the bytes and the number of snapshots in
// unlinked files. Each has a bound in Config. A shape is in use while a request is
// being answered from it, and for Config.KeepFor after.
//
//   - At a bound, shapes that are not in use are given up, those read longest ago
//     first. Who comes back to one starts over: one 409, as for any handle that is
//     not known.
//   - A log that outgrows its share is given up with its shape when that is not in
//     use. Else it is cut: entries go, the oldest first, as far as nobody who reads
//     or is expected back may ask for them. Its readers do not notice. A newcomer
//     would need what was cut, and gets another shape of the same definition, with
//     a snapshot of now; the former one (Server.former) lives until nobody has read
//     it for a while. A definition has three of those at most; the readers of the
//     oldest start over when there would be a fourth.
//   - When nobody can make way, a new shape is a 503 that says which bound it is,
//     with retry-after. Shapes in use go on; where all their readers lag behind, the
//     logs can grow beyond the bound until they have caught up or are a minute late.
//   - What one transaction adds to one shape, and what is kept aside while one
//     shape joins, is at most half of Config.MemoryBytes. A shape for which it is
//     more rotates: its readers start over with a snapshot, which has it all.
//
// Cutting leaves no loop: what anybody may come back to within the minute is kept,
// a snapshot that is being read among it, so whoever starts over can finish.
//
// Not counted are answers on their way to slow readers (of a log, or of a snapshot
// in memory, one chunk each), the index, and about 3 KiB for each shape itself.
package embedded
