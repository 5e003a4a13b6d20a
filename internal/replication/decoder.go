package replication

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pglogrepl"
)

// decoder turns pgoutput messages into transactions. It knows nothing of the
// connection that they come from; a new connection needs a new decoder, because
// Postgres sends the relations again.
type decoder struct {
	relations map[uint32]*Relation
	tx        Transaction
	open      bool
}

func newDecoder() *decoder {
	return &decoder{relations: make(map[uint32]*Relation)}
}

// decode takes one message. It returns a transaction when the message ended one
// that changed something, and the LSN just after a commit whenever the message
// was one.
func (d *decoder) decode(data []byte) (*Transaction, LSN, error) {
	msg, err := pglogrepl.Parse(data)
	if err != nil {
		return nil, 0, fmt.Errorf("read a pgoutput message: %w", err)
	}
	switch m := msg.(type) {
	case *pglogrepl.BeginMessage:
		d.open = true
		d.tx = Transaction{XID: m.Xid, CommitLSN: LSN(m.FinalLSN)}
		return nil, 0, nil
	case *pglogrepl.RelationMessage:
		// Postgres repeats a layout whenever its caches were cleared.
		if rel := relationOf(m); !rel.equal(d.relations[m.RelationID]) {
			d.relations[m.RelationID] = rel
		}
		return nil, 0, nil
	case *pglogrepl.CommitMessage:
		if !d.open {
			return nil, 0, errors.New("pgoutput sent a commit outside a transaction")
		}
		d.open = false
		tx := d.tx
		d.tx = Transaction{}
		tx.EndLSN = LSN(m.TransactionEndLSN)
		if len(tx.Changes) == 0 {
			return nil, tx.EndLSN, nil
		}
		return &tx, tx.EndLSN, nil
	default:
		return nil, 0, d.change(msg)
	}
}

func (d *decoder) change(msg pglogrepl.Message) error {
	switch m := msg.(type) {
	case *pglogrepl.InsertMessage:
		return d.row(Insert, m.RelationID, nil, m.Tuple)
	case *pglogrepl.UpdateMessage:
		return d.row(Update, m.RelationID, m.OldTuple, m.NewTuple)
	case *pglogrepl.DeleteMessage:
		return d.row(Delete, m.RelationID, m.OldTuple, nil)
	case *pglogrepl.TruncateMessage:
		for _, id := range m.RelationIDs {
			if err := d.row(Truncate, id, nil, nil); err != nil {
				return err
			}
		}
	}
	// Type, origin and logical messages say nothing about rows.
	return nil
}

func (d *decoder) row(kind Kind, id uint32, before, after *pglogrepl.TupleData) error {
	rel := d.relations[id]
	if rel == nil || !d.open {
		return fmt.Errorf("pgoutput sent a change of relation %d before its layout or outside a transaction", id)
	}
	if before == nil && (kind == Update || kind == Delete) {
		return fmt.Errorf(`table %q.%q does not log old rows: run ALTER TABLE %q.%q REPLICA IDENTITY FULL and start again`,
			rel.Table.Schema, rel.Table.Name, rel.Table.Schema, rel.Table.Name)
	}
	c := Change{Kind: kind, Relation: rel, Op: uint32(2 * len(d.tx.Changes))}
	var err error
	if before != nil {
		if c.Old, err = tupleOf(rel, before, nil); err != nil {
			return err
		}
	}
	if after != nil {
		if c.New, err = tupleOf(rel, after, c.Old); err != nil {
			return err
		}
	}
	d.tx.Changes = append(d.tx.Changes, c)
	return nil
}

func relationOf(m *pglogrepl.RelationMessage) *Relation {
	rel := &Relation{
		OID:     m.RelationID,
		Table:   Table{Schema: m.Namespace, Name: m.RelationName},
		Columns: make([]Column, len(m.Columns)),
	}
	for i, c := range m.Columns {
		rel.Columns[i] = Column{Name: c.Name, TypeOID: c.DataType, Modifier: c.TypeModifier}
	}
	return rel
}

func (r *Relation) equal(o *Relation) bool {
	return o != nil && r.OID == o.OID && r.Table == o.Table && slices.Equal(r.Columns, o.Columns)
}

// tupleOf copies a tuple. A value that pgoutput leaves out because it is stored
// out of line and did not change is taken from before.
func tupleOf(rel *Relation, t *pglogrepl.TupleData, before Tuple) (Tuple, error) {
	if len(t.Columns) != len(rel.Columns) {
		return nil, fmt.Errorf("pgoutput sent %d values for %d columns of %q.%q",
			len(t.Columns), len(rel.Columns), rel.Table.Schema, rel.Table.Name)
	}
	out := make(Tuple, len(t.Columns))
	for i, c := range t.Columns {
		switch c.DataType {
		case pglogrepl.TupleDataTypeNull:
			out[i].Null = true
		case pglogrepl.TupleDataTypeText:
			out[i].Text = string(c.Data)
		case pglogrepl.TupleDataTypeToast:
			if before == nil {
				return nil, fmt.Errorf("pgoutput left out column %q of %q.%q and sent no old row",
					rel.Columns[i].Name, rel.Table.Schema, rel.Table.Name)
			}
			out[i] = before[i]
		default:
			return nil, fmt.Errorf("pgoutput sent a value of kind %q", c.DataType)
		}
	}
	return out, nil
}
