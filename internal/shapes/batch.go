package shapes

import (
	"io"
)

// Batch is what a run of messages comes to: the rows, and what the control
// messages among them said.
type Batch struct {
	// Rows are the changes, framed for sending on: separated by commas, in the
	// order in which they came, each as it came but for its "last" header.
	Rows []byte
	// Count is the number of changes in Rows.
	Count int
	// Last is the position of the last change; BeforeAll if there is none, or if
	// it has none, as in a snapshot.
	Last Offset
	// UpToDate is set if an up-to-date was the last message.
	UpToDate bool
	// LSN is the highest global_last_seen_lsn, 0 if there was none.
	LSN uint64
	// SnapshotEnded is set if a snapshot-end was among the messages; Xmin is
	// its xmin.
	SnapshotEnded bool
	Xmin          uint64
}

// Add takes in a message. A must-refetch inside a body is an error, which
// Electric does not send with a 200; so is a control message nobody here
// knows, because what it asks for would not be done.
func (b *Batch) Add(m Message) error {
	b.UpToDate = m.Kind == ControlUpToDate
	switch m.Kind {
	case Change:
		if b.Count > 0 {
			b.Rows = append(b.Rows, ',')
		}
		b.Rows = m.AppendTo(b.Rows)
		b.Count += m.Count
		b.Last = m.Position
	case ControlUpToDate:
		b.LSN = max(b.LSN, m.LSN)
	case ControlSnapshotEnd:
		b.SnapshotEnded, b.Xmin = true, m.Xmin
	default:
		return malformed("a control message that has no place in the body of a 200")
	}
	return nil
}

// Borrow is Add for a batch without rows. They stay where they are, if they can be sent
// on as they came.
func (b *Batch) Borrow(m Message) error {
	if m.Kind == Change && m.cutTo == 0 {
		b.Rows, b.Count, b.Last, b.UpToDate = m.Raw, m.Count, m.Position, false
		return nil
	}
	return b.Add(m)
}

// Append takes in a later batch of the same shape.
func (b *Batch) Append(later *Batch) {
	if b.Count > 0 && later.Count > 0 {
		b.Rows = append(b.Rows, ',')
	}
	b.Rows = append(b.Rows, later.Rows...)
	if b.Count += later.Count; later.Count > 0 {
		b.Last = later.Last
	}
	b.UpToDate = later.UpToDate
	b.LSN = max(b.LSN, later.LSN)
	if later.SnapshotEnded {
		b.SnapshotEnded, b.Xmin = true, later.Xmin
	}
}

// Fill adds messages of s until its end, or until b holds at least limit bytes
// of rows; whole says which. What is left can still be read from s.
func (b *Batch) Fill(s Messages, limit int) (whole bool, err error) {
	for len(b.Rows) < limit {
		m, err := s.Next(limit - len(b.Rows))
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if m.Kind == Change {
			b.room(len(m.Raw), limit)
		}
		if err := b.Add(m); err != nil {
			return false, err
		}
	}
	return false, nil
}

// leastDoubled is from where on a batch has twice the memory when it needs more. What is
// less is mostly all there is, and append knows what fits it.
const leastDoubled = 8 << 10

// room makes room for more rows. A batch that is filled further and further, as one is
// whose readers do not know yet how large it is, is moved half as often as append would,
// and has no more than it may hold.
func (b *Batch) room(more, limit int) {
	need := len(b.Rows) + len(",") + more
	if need <= cap(b.Rows) || need < leastDoubled {
		return
	}
	b.Rows = append(make([]byte, 0, max(need, min(2*cap(b.Rows), limit))), b.Rows...)
}
