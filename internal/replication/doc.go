// Package replication follows a list of Postgres tables through one logical
// replication slot and hands the changes of every committed transaction, in commit order, to
// a Consumer.
//
// It speaks pgoutput (protocol version 1, values as text) and wants REPLICA
// IDENTITY FULL on every table: an update then carries the whole old row, so
// that a consumer can tell what changed and which feeds a row left. The database's
// encoding must be UTF8: in another one a value can be written that cannot be sent.
//
// # Names and ownership
//
// The publication has the name of the slot. Both are dropped and made anew by
// Open and dropped by Close: a consumer that starts has no memory that an old
// slot could continue. A process that is killed leaves its slot behind, and
// with it the WAL that the slot pins, until the next Open with that name or
// until somebody calls pg_drop_replication_slot.
//
// A session-level advisory lock on the name, held on a connection of its own,
// keeps a second instance away; its Open fails with ErrSlotTaken.
//
// # When the connection is lost
//
// Run connects again, with a delay that doubles up to five seconds, and goes on
// from the last transaction that the Consumer has taken: the slot keeps what
// came after it, so nothing is lost and nothing is given twice. A transaction of
// which a part had come is aborted and comes again, whole. If the slot is gone,
// has lost WAL it needs, or was read by somebody else, a new one is made and
// Consumer.Lost says that transactions may be missing. If another instance has
// taken the name meanwhile, Run ends with ErrSlotTaken.
//
// # Beside delivery
//
// A second goroutine tells Postgres what was processed, three times in the
// connection's wal_sender_timeout or every Config.StatusInterval, so that a slow
// Consumer is not cut off. Every Config.CheckInterval it looks at the lock and at
// the tables, for what the log does not tell: a table that was dropped, made anew
// or unpublished, a column that was dropped and added again under its name. Then
// the connection is made anew, the tables are published, and Consumer.Lost is
// called. A table that is gone is waited for; one that comes back without REPLICA
// IDENTITY FULL ends Run.
//
// # What is in memory
//
// Nothing but the message at hand: changes are handed over as they are read, and a
// row is as large as Postgres sends it. Messages are decoded here (wire.go,
// decoder.go) because a damaged one must be an error and not a panic.
package replication
