package flight

import (
	"context"
	"io"
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// shareStep is how much of a body is read before more of Config.AllShareBytes is taken.
const shareStep = 16 << 10

// sharedRead is one read of the upstream for everybody who asks the same. Who comes before it
// is sent are its readers. Who comes later waits for it, too, and has a seat in the next
// call, which is sent when this one has ended and was not good for them.
type sharedRead struct {
	group  *Group
	def    *shapes.Definition
	key    readKey
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended

	// Under group.mu.
	shape   *shape // while it is out
	ended   bool
	readers int         // who did not leave before it ended
	next    *sharedRead // of those who came after it was sent; nil: nobody did
	holders int         // pages that hold the batch
	streams *shape      // the shape of a body that one reader takes

	// Written before done is closed.
	err   error
	whole bool // batch is all of the body
	batch shapes.Batch
	page  *shapes.Page // what it brought; if that is not whole, one reader takes it, under group.mu
	held  int          // of Group.shareHeld, for the batch
	least int          // bytes of rows that a body has that is large
}

// newCall makes one that outlives the request that it is made for, but has what goes
// with it: its log and its trace.
func (g *Group) newCall(ctx context.Context, def *shapes.Definition, key readKey) *sharedRead {
	c := &sharedRead{group: g, def: def, key: key, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return c
}

// send sends a call, which is counted already. g.mu is held.
func (c *sharedRead) send(s *shape) {
	c.shape = s
	if s.reads == nil {
		s.reads = make(map[readKey]*sharedRead)
	}
	s.reads[c.key] = c
	c.group.done.Go(c.run)
}

// run asks, and holds the body as far as that goes.
func (c *sharedRead) run() {
	g := c.group
	stop := context.AfterFunc(g.ctx, func() { c.cancel(errClosed) })
	defer stop()
	page, err := g.ask(c.ctx, c.def, c.key)
	if err == nil {
		if c.whole, err = c.fill(page); c.whole || err != nil {
			_ = page.Close()
		}
	}
	if err != nil && g.ctx.Err() != nil {
		err = errClosed
	}
	if err != nil || c.whole {
		c.cancel(nil)
	}
	c.page, c.err, c.least = page, err, len(c.batch.Rows)
	g.mu.Lock()
	unclaimed := c.end()
	g.mu.Unlock()
	if unclaimed {
		c.giveBack()
		if c.large() {
			c.letGo()
			_ = page.Close()
			c.cancel(nil)
		}
	}
}

// fill reads the body into the batch, as long as there is room.
func (c *sharedRead) fill(page *shapes.Page) (whole bool, err error) {
	g := c.group
	for step := min(shareStep, g.config.ShareBytes); step > 0; step = min(c.held, g.config.ShareBytes-c.held) {
		if g.shareHeld.Add(int64(step)) > int64(g.config.AllShareBytes) {
			g.shareHeld.Add(-int64(step))
			return false, nil
		}
		c.held += step
		if step < c.held { // most bodies are less than the first step
			c.batch.Rows = g.buffers.moved(c.batch.Rows, c.held)
		}
		whole, err = c.batch.Fill(page.Messages, c.held)
		if err != nil {
			c.giveBack()
			c.letGo()
			return false, &shapes.Unavailable{Err: err} // the cause may be that the shape was rotated
		}
		if whole {
			c.keep(len(c.batch.Rows))
			return true, nil
		}
	}
	return false, nil
}

// keep gives back what the batch took, but for so many bytes.
func (c *sharedRead) keep(bytes int) {
	c.group.shareHeld.Add(int64(bytes - c.held))
	c.held = bytes
}

// giveBack gives back what the batch took. It is called once nobody has it any more.
func (c *sharedRead) giveBack() { c.keep(0) }

// letGo lets go of the batch's memory, for the next. It is only called for a batch that
// nobody shared: who shares one may have its rows still.
func (c *sharedRead) letGo() {
	c.group.buffers.keep(c.batch.Rows)
	c.batch.Rows = nil
}

// end ends the call: out of the shape's reads, and its readers told, in one step under
// the lock, so that whoever comes later asks anew. It says whether nobody wants what the
// call brought. g.mu is held.
func (c *sharedRead) end() (unclaimed bool) {
	g, s := c.group, c.shape
	if s == nil { // all have left
		return true
	}
	c.shape, c.ended = nil, true
	delete(s.reads, c.key)
	if g.heard(s, c.key, c.err); c.err == nil {
		s.ring.named(c.key.pos, c.page.Next)
	}
	next := c.next
	switch {
	case c.large():
		next = nil // each reads alone
		if c.readers == 0 {
			unclaimed = true
			break
		}
		c.streams = s // and is counted on until the reader who takes it closes it
		s.alone++
		g.settle(s)
		close(c.done)
		return false
	case c.goodForLate():
		c.holders = c.readers
		if next != nil {
			c.holders += next.readers
			next = nil
		}
	case c.whole:
		c.holders = c.readers
	}
	if c.whole {
		unclaimed = c.holders == 0
		g.reads.Add(uint64(max(c.holders-1, 0)))
	}
	if next != nil && next.readers > 0 {
		next.send(s) // in this one's stead, as far as the environment goes
	} else {
		s.environment.called(begins(c.key.pos))
	}
	g.settle(s)
	close(c.done)
	return unclaimed
}

// large says that the body is more than can be held.
func (c *sharedRead) large() bool { return c.err == nil && !c.whole }

// goodForLate says that who came after the call was sent may have its page. One that
// ends with up-to-date would tell them that they know everything, and it may be older
// than they are: they may have written a row since. Any other only tells what stands
// between two places of a log, which does not change, and they ask for what follows in
// a call that is sent later.
func (c *sharedRead) goodForLate() bool { return c.whole && !c.batch.UpToDate }

// hold is the page of one of the readers whom the call has ended for.
func (c *sharedRead) hold() *shapes.Page {
	return &shapes.Page{
		Next: c.page.Next, Schema: c.page.Schema, Whole: &c.batch, Messages: &replay{batch: &c.batch},
		Close: sync.OnceValue(func() error {
			c.group.mu.Lock()
			c.holders--
			last := c.holders == 0
			c.group.mu.Unlock()
			if last {
				c.giveBack()
			}
			return nil
		}),
	}
}

// take gives the page of a large body to the first reader who comes for it: what was
// held, and the rest as it arrives.
func (c *sharedRead) take(ctx context.Context) *shapes.Page {
	g := c.group
	g.mu.Lock()
	page := c.page
	c.page = nil
	g.mu.Unlock()
	if page == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })
	give := sync.OnceFunc(c.giveBack)
	closed := page.Close
	if page.Least = c.least; c.held > 0 {
		rows := c.batch.Rows
		page.Messages = &resumed{held: c.batch.Replay(), rest: page.Messages, release: func() {
			give()
			g.buffers.keep(rows) // its reader has asked for what follows, and has them no more
		}}
		c.batch.Rows = nil
	}
	page.Close = sync.OnceValue(func() error {
		stop()
		give()
		g.ended(c.streams, c.key, nil)
		err := closed()
		c.cancel(nil)
		return err
	})
	return page
}

// again reads a large body once more, for one of its other readers.
func (c *sharedRead) again(ctx context.Context, q question) (*shapes.Page, error) {
	page, err := c.group.readAlone(ctx, q)
	if err == nil {
		page.Least = c.least
	}
	return page, err
}

// replay yields a batch's messages, for a reader who does not take it whole.
type replay struct {
	batch    *shapes.Batch
	messages shapes.Messages
}

// Next is shapes.Messages'.
func (r *replay) Next(enough int) (shapes.Message, error) {
	if r.messages == nil {
		r.messages = r.batch.Replay()
	}
	return r.messages.Next(enough)
}

// resumed yields what was held, and then the rest.
type resumed struct {
	held    shapes.Messages // nil: all was given
	rest    shapes.Messages
	release func()
}

// Next is shapes.Messages'.
func (r *resumed) Next(enough int) (shapes.Message, error) {
	if r.held != nil {
		m, err := r.held.Next(enough)
		if err != io.EOF {
			return m, err
		}
		release := r.release
		r.held, r.release = nil, nil // or they would be here for as long as the rest takes
		release()
	}
	return r.rest.Next(enough)
}
