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
//  1. The shape is registered. From here on it is told of every transaction that
//     is read from the replication slot, and keeps them aside (phase joining). The
//     ids of the transactions that had been read before are noted.
//  2. The table is locked against ALTER and TRUNCATE and a REPEATABLE READ snapshot
//     is taken. If it does not see one of the noted transactions (a commit can be
//     read from the log a moment before other sessions see it), it is given up and
//     taken again: the shape was not told of that one.
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
// shape. Held readers get a 409 without a handle, later ones a 409 that names the
// new shape. A restart of the server loses all shapes, because they live in
// memory: one 409 for every reader.
//
// # Goroutines and locks
//
// One goroutine reads the slot and writes all logs (follower.go), one for each new
// shape takes its snapshot (snapshot.go), and every request runs on its caller's.
// Server.mu guards which shapes there are and is taken before shape.mu, which
// guards what one shape holds. Readers wait on a channel that is closed when their
// shape changes: there is no polling, and no timer but that of the hold.
//
// # What is unbounded
//
// The number of shapes, their logs (in memory) and their snapshots (in memory up
// to Config.SnapshotMemory each, then in unlinked temporary files) are not limited:
// a shape is only given up when it rotates. A transaction is in memory whole while
// it is read. Server.retire is where eviction will take a shape out; it needs the
// time of the last read and the sizes, which shapeLog.append and spool.write know.
package embedded
