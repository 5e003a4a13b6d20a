package steady

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// mostStall is how long a body may break off again and again without a message in
// between before it is given up.
const mostStall = 2 * time.Minute

// body yields the messages of an answer over as many calls as it takes. Once it has
// given one out its head counts, and it ends where that said: an answer that was
// asked for later may have more.
type body struct {
	ctx     context.Context
	source  *Source
	def     *shapes.Definition
	pos     shapes.Position
	page    *shapes.Page // what the reader has; its Next is where the body ends
	reading *reading
	once    bool // if it breaks off before the first message, that is all
	grown   bool // what is read goes beyond next
	ended   bool // an up-to-date was given, behind which nothing comes
	given   int  // messages
	sum     maphash.Hash
	stuck   int       // given, when it broke off last
	since   time.Time // when it did so with that many for the first time
	err     error     // the end, once it is known
}

func newBody(ctx context.Context, s *Source, def *shapes.Definition, pos shapes.Position, r *reading) *body {
	b := &body{ctx: ctx, source: s, def: def, pos: pos, reading: r, stuck: -1}
	b.page = &shapes.Page{Next: r.page.Next, Schema: r.page.Schema, Messages: b, Close: b.close}
	return b
}

// Next is shapes.Messages'.
func (b *body) Next(enough int) (shapes.Message, error) {
	for b.err == nil {
		m, err := b.reading.page.Messages.Next(enough)
		switch {
		case err == nil:
			if b.err = b.give(&m); b.err == nil {
				return m, nil
			}
		case err == io.EOF || b.ended:
			b.reading.settle(nil)
			b.err = io.EOF
		default:
			b.err = b.resume(err)
		}
	}
	return shapes.Message{}, b.err
}

func (b *body) close() error { return b.reading.close(nil) }

// give takes note of a message to give out, unless it lies beyond the end that was
// named.
func (b *body) give(m *shapes.Message) error {
	if b.grown {
		switch {
		case m.Kind == shapes.ControlUpToDate:
			return io.EOF
		case m.Kind == shapes.Change && m.Position.Kind == shapes.BeforeAll:
			return unresumable("a snapshot that was asked for again ends elsewhere")
		case m.Kind == shapes.Change && m.Position.Compare(b.page.Next.Offset) > 0:
			return io.EOF
		}
	}
	b.ended = m.Kind == shapes.ControlUpToDate
	b.given += m.Count
	note(&b.sum, m)
	return nil
}

// note has a sum know of messages: the same of one after the other as of all together.
func note(sum *maphash.Hash, m *shapes.Message) {
	_, _ = sum.Write(m.Raw)
	_ = sum.WriteByte(',')
}

// resume asks again, and skips what was given out.
func (b *body) resume(broken error) error {
	for {
		_ = b.reading.close(&shapes.Unavailable{Err: fmt.Errorf("an answer broke off: %w", broken)})
		if b.stuck != b.given {
			b.stuck, b.since = b.given, time.Now()
		}
		hopeless := errors.Is(broken, shapes.ErrEndless) || time.Since(b.since) > mostStall || b.ctx.Err() != nil
		if hopeless || b.once && b.given == 0 {
			return broken
		}
		b.source.again.Add(1)
		reading, err := b.source.read(b.ctx, b.def, b.pos)
		if err != nil {
			return err
		}
		b.reading = reading
		if b.given == 0 { // nobody knows of the answer that broke off
			b.page.Next, b.page.Schema = reading.page.Next, reading.page.Schema
			return nil
		}
		next := reading.page.Next
		switch {
		case next.Handle != b.page.Next.Handle: // -1 was asked for, and is another shape by now
			return &shapes.Rotated{Handle: next.Handle}
		case next.Offset.Compare(b.page.Next.Offset) < 0:
			return unresumable("an answer that was asked for again ends earlier")
		}
		b.grown = next != b.page.Next
		err = b.skip()
		if err == nil || errors.Is(err, errDiffers) {
			return err
		}
		broken = err
	}
}

var errDiffers = unresumable("an answer that was asked for again is another one")

func unresumable(text string) error { return &shapes.Unavailable{Err: errors.New(text)} }

// skip passes over what was given out, and sees that it is the same.
func (b *body) skip() error {
	var sum maphash.Hash
	sum.SetSeed(b.sum.Seed())
	for range b.given {
		m, err := b.reading.page.Messages.Next(1)
		switch {
		case err == io.EOF:
			return errDiffers
		case err != nil:
			return err
		}
		note(&sum, &m)
	}
	if sum.Sum64() != b.sum.Sum64() {
		return errDiffers
	}
	return nil
}
