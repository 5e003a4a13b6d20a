package merge

import "github.com/realtime-gw/realtime-gw/internal/shapes"

// pieceBytes is how much is collected before it is written on: a write takes two or three
// calls of the system, however long it is. What a reader who takes nothing pins is mostly
// this, and as much again in the scanner, the transport and, in dev, the upstream.
const pieceBytes = 32 << 10

// A reader who has taken so much is one who reads: what comes next is read from the
// upstream while the last piece is written, in larger ones. It costs two of them.
const (
	takenBytes = 256 << 10
	aheadBytes = 64 << 10
)

// drain gives the rest of the page's rows to send, a piece at a time. What send gets is
// valid until it returns.
func (p *openPage) drain(send func(*shapes.Batch) error) error {
	piece := newPiece(pieceBytes)
	for taken := 0; taken < takenBytes; taken += len(piece.Rows) {
		piece.restart()
		whole, err := piece.Fill(p.messages, pieceBytes)
		if err != nil {
			return broken(err)
		}
		if err := send(&piece.Batch); err != nil || whole {
			return err
		}
	}
	return p.drainAhead(send)
}

// piece is some of a body.
type piece struct {
	shapes.Batch
	whole bool  // nothing follows
	err   error // instead
}

func newPiece(bytes int) *piece {
	return &piece{Batch: shapes.Batch{Rows: make([]byte, 0, bytes+bytes/8)}}
}

// restart makes it empty.
func (p *piece) restart() { *p = piece{Batch: shapes.Batch{Rows: p.Rows[:0]}} }

// drainAhead is drain with two pieces: one is filled while the other is sent. The messages
// belong to who fills until it has ended, which this waits for.
func (p *openPage) drainAhead(send func(*shapes.Batch) error) error {
	free, full := make(chan *piece, 2), make(chan *piece, 2)
	free <- newPiece(aheadBytes)
	free <- newPiece(aheadBytes)
	go func() {
		defer close(full)
		for next := range free {
			next.restart()
			next.whole, next.err = next.Fill(p.messages, aheadBytes)
			full <- next
			if next.whole || next.err != nil {
				return
			}
		}
	}()
	for next := range full {
		err := next.err
		if err != nil {
			err = broken(err)
		} else {
			err = send(&next.Batch)
		}
		if err != nil || next.whole {
			close(free)
			p.cancel() // who fills may wait for the upstream
			for range full {
			}
			return err
		}
		free <- next
	}
	return nil
}
