package shapes

import (
	"io"
	"strconv"
)

// replay yields the messages of a batch.
type replay struct {
	before []Message // control messages that did not come last
	rows   *Scanner
	left   int // rows that were not given
	behind []Message
}

// Replay yields messages that come to the same batch again: the rows where they are, and
// control messages made anew.
func (b *Batch) Replay() Messages {
	r := &replay{left: b.Count}
	if b.Count > 0 {
		r.rows = NewBytesScanner(b.Rows)
		r.rows.state = afterMessage
		r.rows.openAt(0) // there is no array around them
	}
	upToDate := Message{Kind: ControlUpToDate, Count: 1, LSN: b.LSN,
		Raw: []byte(`{"headers":{"control":"up-to-date","global_last_seen_lsn":"` + strconv.FormatUint(b.LSN, 10) + `"}}`)}
	if !b.UpToDate && b.LSN > 0 {
		r.before = append(r.before, upToDate)
	}
	if b.SnapshotEnded {
		r.behind = append(r.behind, Message{Kind: ControlSnapshotEnd, Count: 1, Xmin: b.Xmin,
			Raw: []byte(`{"headers":{"control":"snapshot-end","xmin":"` + strconv.FormatUint(b.Xmin, 10) + `"}}`)})
	}
	if b.UpToDate {
		r.behind = append(r.behind, upToDate)
	}
	return r
}

// Next is Messages'.
func (r *replay) Next(enough int) (Message, error) {
	switch {
	case len(r.before) > 0:
		return shift(&r.before), nil
	case r.left > 0:
		m, err := r.rows.Next(enough)
		r.left -= m.Count
		return m, err
	case len(r.behind) > 0:
		return shift(&r.behind), nil
	}
	return Message{}, io.EOF
}

func shift(of *[]Message) Message {
	m := (*of)[0]
	*of = (*of)[1:]
	return m
}
