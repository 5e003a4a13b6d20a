package replication

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// decoder turns pgoutput messages into calls of a Consumer. It knows nothing of
// the connection that they come from; a new connection needs a new decoder,
// because Postgres sends the relations again.
type decoder struct {
	relations map[uint32]*Relation
	open      bool   // between a begin and its commit
	changes   uint32 // of the open transaction
}

func newDecoder() *decoder {
	return &decoder{relations: make(map[uint32]*Relation)}
}

var errDamaged = errors.New("pgoutput sent a message that is not as long as it says")

// decode takes one message. It returns the LSN just after a commit whenever the
// message was one. The data is not kept.
func (d *decoder) decode(data []byte, c Consumer) (LSN, error) {
	w := &wire{rest: data}
	switch kind := w.uint8(); kind {
	case 'B':
		return 0, d.begin(w, c)
	case 'C':
		return d.commit(w, c)
	case 'R':
		return 0, d.relation(w)
	case 'I', 'U', 'D', 'T':
		return 0, d.change(kind, w, c)
	case 'O', 'Y', 'M': // origin, type, logical message: they say nothing of rows
		return 0, nil
	default:
		return 0, fmt.Errorf("pgoutput sent a message of unknown kind %q", kind)
	}
}

// timestamp reads Postgres's binary form: microseconds since the year 2000.
func timestamp(us uint64) time.Time {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(us) * time.Microsecond)
}

func (d *decoder) begin(w *wire, c Consumer) error {
	tx := Transaction{CommitLSN: LSN(w.uint64())}
	tx.Committed = timestamp(w.uint64())
	tx.XID = w.uint32()
	switch {
	case !w.whole():
		return errDamaged
	case d.open:
		return errors.New("pgoutput began a transaction inside another")
	}
	d.open, d.changes = true, 0
	c.Begin(tx)
	return nil
}

func (d *decoder) commit(w *wire, c Consumer) (LSN, error) {
	w.uint8()  // flags, none yet
	w.uint64() // the LSN that begin named
	end := LSN(w.uint64())
	w.uint64() // when
	switch {
	case !w.whole():
		return 0, errDamaged
	case !d.open:
		return 0, errors.New("pgoutput sent a commit outside a transaction")
	}
	d.open = false
	c.Commit()
	return end, nil
}

// relation notes a table's layout. Postgres repeats it whenever its caches were
// cleared.
func (d *decoder) relation(w *wire) error {
	rel := &Relation{OID: w.uint32(), Table: Table{Schema: w.text(), Name: w.text()}}
	w.uint8() // replica identity: the rows themselves show it
	for range w.uint16() {
		w.uint8() // whether it is part of the key
		c := Column{Name: w.text(), TypeOID: w.uint32(), Modifier: int32(w.uint32())}
		if w.broken {
			return errDamaged
		}
		rel.Columns = append(rel.Columns, c)
	}
	if !w.whole() {
		return errDamaged
	}
	if rel.Table.Schema == "" {
		rel.Table.Schema = "pg_catalog" // how pgoutput writes it
	}
	if old := d.relations[rel.OID]; old == nil || old.Table != rel.Table || !slices.Equal(old.Columns, rel.Columns) {
		d.relations[rel.OID] = rel
	}
	return nil
}

func (d *decoder) change(kind byte, w *wire, c Consumer) error {
	if kind == 'T' {
		return d.truncate(w, c)
	}
	rel, err := d.find(w.uint32())
	if err != nil {
		return err
	}
	out := Change{Kind: map[byte]Kind{'I': Insert, 'U': Update, 'D': Delete}[kind], Relation: rel}
	part := w.uint8()
	if kind != 'I' {
		if part != 'O' {
			return rel.notFull()
		}
		if out.Old, err = rel.tuple(w, nil); err != nil {
			return err
		}
		if kind == 'U' {
			part = w.uint8()
		}
	}
	if kind != 'D' {
		if part != 'N' {
			return errDamaged
		}
		if out.New, err = rel.tuple(w, out.Old); err != nil {
			return err
		}
	}
	if !w.whole() {
		return errDamaged
	}
	d.emit(out, c)
	return nil
}

func (d *decoder) truncate(w *wire, c Consumer) error {
	n := int(w.uint32())
	w.uint8() // CASCADE, RESTART IDENTITY
	if w.broken || len(w.rest) != 4*n {
		return errDamaged
	}
	for range n {
		rel, err := d.find(w.uint32())
		if err != nil {
			return err
		}
		d.emit(Change{Kind: Truncate, Relation: rel}, c)
	}
	return nil
}

func (d *decoder) find(oid uint32) (*Relation, error) {
	rel := d.relations[oid]
	if rel == nil || !d.open {
		return nil, fmt.Errorf("pgoutput sent a change of relation %d before its layout or outside a transaction", oid)
	}
	return rel, nil
}

func (d *decoder) emit(change Change, c Consumer) {
	change.Op = 2 * d.changes
	d.changes++
	c.Change(change)
}
