package merge

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/pace"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// result is what became of a read: whole says that batch is all of the body;
// otherwise page yields the rest.
type result struct {
	side   int
	next   shapes.Position
	schema string
	batch  shapes.Batch
	taken  int // of the budget
	page   *openPage
	shared *openPage // has the batch's memory, if others read it too
	err    error
}

// openPage is a body that is too large to hold.
type openPage struct {
	side     int
	messages shapes.Messages
	closer   func() error
	cancel   context.CancelFunc
}

func (p *openPage) close() {
	p.cancel()
	_ = p.closer()
}

// read asks a side for what is there now, aside, because both are asked at the
// same time. The call outlives the request only in an open page.
func (r *Held) read(side int, kind EffectKind) {
	def, pos := r.req.Definitions[side], r.state.Sides[side].Position
	ctx, cancel := context.WithCancel(r.ctx)
	if r.reads == nil {
		r.reads = newReads()
	}
	reads := r.reads
	reads.cancels[side] = cancel
	reads.out++
	ask := r.merger.config.Upstreams[side].Read
	if kind == ReadOn {
		ask = r.merger.config.Upstreams[side].Once
	}
	if seat := reads.seated(side); seat != nil {
		ask = func(ctx context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.Page, error) {
			return seat.Read(ctx)
		}
	}
	joined, place := r.joined(side)
	var wait time.Duration
	if kind == Read {
		wait = reads.paces[side].Next(time.Now())
	}
	go func() {
		if err := pace.Pause(ctx, wait); err != nil {
			reads.results <- &result{side: side, err: err}
			return
		}
		page, err := ask(ctx, def, pos)
		if err == nil && joined >= 0 {
			if err = r.merger.agree(ctx, page, joined, r.req.Definitions[joined], place); err != nil {
				_ = page.Close()
			}
		}
		reads.results <- r.merger.take(side, page, err, cancel)
	}()
}

// joined is the other side and its place, if this one is about to be read from its
// beginning by a client that has the other already, and its schema; or -1.
func (r *Held) joined(side int) (other int, place shapes.Position) {
	if r.req.Hold == 0 || r.state.Sides[side].Offset.Kind != shapes.BeforeAll {
		return -1, place
	}
	for i := range r.state.Sides {
		if p := r.state.Sides[i].Progress; i != side && p.Opened && p.Offset.Kind != shapes.BeforeAll {
			return i, p.Position
		}
	}
	return -1, place
}

// agree refuses a page whose columns differ from those of a side that the client has: who
// is held is told the schema no more. Where the other side does not answer now, nothing is
// known against it.
func (m *Merger) agree(ctx context.Context, page *shapes.Page, other int, def *shapes.Definition, place shapes.Position) error {
	has, err := m.config.Upstreams[other].Once(ctx, def, place)
	if err != nil {
		return nil
	}
	defer func() { _ = has.Close() }()
	_, err = shapes.MergeSchemas(has.Schema, page.Schema)
	return err
}

// take holds a page, as far as that goes.
func (m *Merger) take(side int, page *shapes.Page, err error, cancel context.CancelFunc) *result {
	got := &result{side: side}
	if err != nil {
		got.err = err
		return got
	}
	if page.Whole != nil && len(page.Whole.Rows) < m.config.PageBytes {
		got.next, got.schema, got.batch = page.Next, page.Schema, *page.Whole
		got.shared = &openPage{side: side, closer: page.Close, cancel: cancel}
		return got
	}
	whole := false
	if page.Least < m.config.PageBytes {
		whole, err = m.hold(got, page.Messages)
	} else { // the first message: until then Next and Schema are not final
		whole, err = got.batch.Fill(page.Messages, 1)
	}
	got.next, got.schema = page.Next, page.Schema
	if err == nil && !whole {
		got.page = &openPage{side: side, messages: page.Messages, closer: page.Close, cancel: cancel}
		return got
	}
	_ = page.Close()
	if err != nil {
		got.err = broken(err)
	}
	return got
}

// hold fills the batch as far as PageBytes and the budget go.
func (m *Merger) hold(got *result, messages shapes.Messages) (whole bool, err error) {
	for limit := min(freeBytes, m.config.PageBytes); ; {
		whole, err = got.batch.Fill(messages, limit)
		more := min(limit, m.config.PageBytes-limit)
		if whole || err != nil || more <= 0 || !m.budget.take(more) {
			return whole, err
		}
		got.taken += more
		limit += more
	}
}

// broken is the error of a body that could not be read to its end.
func broken(err error) error { return &shapes.Unavailable{Err: err} }

// take takes in what became of a read.
func (r *Held) take(got *result) {
	r.reads.out--
	cancel := r.reads.cancels[got.side]
	r.reads.cancels[got.side] = nil
	if got.page == nil {
		cancel()
	}
	r.answer.taken += got.taken
	switch {
	case got.shared == nil:
	case len(got.batch.Rows) == 0: // there is nothing to have its memory for
		got.shared.close()
	default:
		r.answer.shared = append(r.answer.shared, got.shared)
	}
	if got.err != nil {
		r.fail(got.side, got.err)
		return
	}
	r.reads.schemas[got.side] = got.schema
	r.answer.add(got.side, &got.batch)
	e := Event{Kind: Whole, Side: got.side, Next: got.next, UpToDate: got.batch.UpToDate, Rows: got.batch.Count > 0}
	if got.page != nil {
		e.Kind = Large
		r.answer.pages = append(r.answer.pages, got.page)
	}
	r.apply(e)
}
