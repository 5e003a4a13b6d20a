package replication

import (
	"fmt"
)

// notFull is the error of a change without its whole old row.
func (r *Relation) notFull() error {
	return fmt.Errorf(`table %q.%q does not log old rows: run ALTER TABLE %q.%q REPLICA IDENTITY FULL and start again`,
		r.Table.Schema, r.Table.Name, r.Table.Schema, r.Table.Name)
}

// tuple reads a row. Its text is copied in one piece, of which the values are
// parts. A value that pgoutput leaves out because it is stored out of line and
// did not change is taken from before.
func (r *Relation) tuple(w *wire, before Tuple) (Tuple, error) {
	if n := int(w.uint16()); n != len(r.Columns) {
		return nil, fmt.Errorf("pgoutput sent %d values for %d columns of %q.%q", n, len(r.Columns), r.Table.Schema, r.Table.Name)
	}
	start := w.rest
	out := make(Tuple, len(r.Columns))
	places := make([]int, 2*len(out)) // where in start a value begins and ends
	for i := range out {
		switch kind := w.uint8(); {
		case w.broken:
			return nil, errDamaged
		case kind == 'n':
			out[i].Null = true
		case kind == 't':
			n := w.uint32()
			from := len(start) - len(w.rest)
			if uint64(n) > uint64(len(w.rest)) {
				return nil, errDamaged
			}
			w.take(int(n))
			places[2*i], places[2*i+1] = from, from+int(n)
		case kind == 'u' && before != nil:
			out[i] = before[i]
		default:
			return nil, fmt.Errorf("pgoutput sent column %q of %q.%q as %q, which cannot be read without an old row or as text",
				r.Columns[i].Name, r.Table.Schema, r.Table.Name, kind)
		}
	}
	text := string(start[:len(start)-len(w.rest)])
	for i := range out {
		if places[2*i] > 0 {
			out[i].Text = text[places[2*i]:places[2*i+1]]
		}
	}
	return out, nil
}
