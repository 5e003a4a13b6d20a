package replication

import (
	"strconv"
	"time"
)

// LSN is a position in the write-ahead log, a byte count since the cluster was
// made. Electric writes it in decimal.
type LSN uint64

// String is the decimal form, as Electric writes it.
func (l LSN) String() string { return strconv.FormatUint(uint64(l), 10) }

// Table names one table. Both parts are verbatim: no quotes, no folding.
type Table struct {
	Schema string
	Name   string
}

// Column is one column of a Relation.
type Column struct {
	Name     string
	TypeOID  uint32
	Modifier int32 // pg_attribute.atttypmod; -1 when the type has none
}

// Relation is the layout of a table at one moment of the log. Postgres sends it
// before the first change of a table in a session, and again after the table was
// altered; while a connection lasts, two changes have the same pointer exactly if
// they have the same layout. It is never changed once it was handed out.
type Relation struct {
	OID     uint32
	Table   Table
	Columns []Column
}

// Index returns the place of the named column in a Tuple of r, or -1.
func (r *Relation) Index(name string) int {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// Value is one column's value in Postgres's text form, under the session
// settings of SessionSettings. Text is empty when Null is set.
type Value struct {
	Text string
	Null bool
}

// Tuple is a row: one Value for each of its Relation's Columns, in their order.
type Tuple []Value

// Kind says what a Change did.
type Kind uint8

// The kinds of Change.
const (
	Insert Kind = iota + 1
	Update
	Delete
	Truncate
)

// Change is one change of one row, or the truncation of one table.
type Change struct {
	Kind     Kind
	Relation *Relation
	Old      Tuple // Update and Delete: the whole old row
	New      Tuple // Insert and Update: the whole new row; values that were too large to be sent again are filled in from Old
	// Op is the change's place in its transaction as Electric counts it: it
	// grows by 2 with every change of a published table, so that the odd number
	// after it is free for the second half of an update of the primary key
	// (sync-service 1.7.12, replication_client/message_converter.ex).
	Op uint32
}

// Transaction names a committed transaction.
type Transaction struct {
	XID       uint32 // 32 bits: the epoch is not sent
	CommitLSN LSN    // pgoutput's Begin.FinalLSN; Electric's offset of the transaction
	// Committed is when, by the clock of the database's machine.
	Committed time.Time
}

// Consumer takes what a Stream delivers. Its methods are called one at a time,
// all on the goroutine of Run, and nothing more is read while one runs; Postgres
// is answered meanwhile. They must not call the Stream.
//
// A transaction comes as Begin, its changes, and Commit or Abort. It is not
// collected first, so its size is bounded by what the Consumer keeps of it.
type Consumer interface {
	// Begin announces a transaction. It has committed in Postgres; whether all
	// of it arrives is not known yet.
	Begin(Transaction)
	// Change hands over one change. It belongs to the Consumer, who may keep it.
	Change(Change)
	// Commit ends the transaction. When it returns, the transaction counts as
	// processed and is not delivered again. There may have been no change.
	Commit()
	// Abort takes everything since Begin back: the connection was lost. The
	// transaction comes again, whole.
	Abort()
	// Position says that every commit before lsn has been delivered, whether or
	// not it touched the tables.
	Position(lsn LSN)
	// Lost says that changes may be missing between those delivered before and
	// those that follow. It is not called inside a transaction.
	Lost()
	// Following says whether the stream is connected.
	Following(bool)
}
