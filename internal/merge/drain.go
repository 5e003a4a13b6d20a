package merge

import (
	"io"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// pieceBytes is how much is collected before it is written on: a write takes two or three
// calls of the system, however long it is. What a reader who takes nothing pins is mostly
// this, and as much again in the scanner, the transport and, in dev, the upstream.
const pieceBytes = 32 << 10

// What comes together and is plenty is written from where it is, without a copy. That is
// how nearly all of a snapshot comes. Nothing more than enough comes together.
const (
	plenty = 8 << 10
	enough = 112 << 10
)

// drain gives the rest of the page's rows to send, a piece at a time. What send gets is
// valid until it returns.
func (p *openPage) drain(send func(*shapes.Batch) error) error {
	var piece shapes.Batch
	flush := func() error {
		err := send(&piece)
		piece = shapes.Batch{Rows: piece.Rows[:0]}
		return err
	}
	for {
		m, err := p.messages.Next(enough)
		switch {
		case err == io.EOF:
			return flush()
		case err != nil:
			return broken(err)
		}
		if len(m.Raw) < plenty {
			if err := piece.Add(m); err != nil {
				return broken(err)
			}
			if len(piece.Rows) < pieceBytes {
				continue
			}
		}
		if piece.Count > 0 {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(m.Raw) >= plenty {
			var alone shapes.Batch
			if err := alone.Borrow(m); err != nil {
				return broken(err)
			}
			if err := send(&alone); err != nil {
				return err
			}
		}
	}
}
