package flight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// The part of the model that reads.

func (m *model) callOf(id int) *refCall {
	for _, c := range m.reads {
		if c.leader.id == id {
			return c
		}
	}
	return nil
}

func (m *model) read(d int, pos shapes.Position) {
	r := &refReader{id: len(m.readers), feed: d, pos: pos, came: m.step, waits: true, reader: &reader{done: make(chan struct{})}}
	r.ctx, r.leave = m.withID(r.id)
	go func() {
		defer close(r.done)
		r.page, r.err = m.group.Read(r.ctx, modelFeed(d), pos)
	}()
	m.readers = append(m.readers, r)
	switch sent := m.sentAt(d, pos); {
	case m.closed:
		r.waits, r.want = false, errClosed
	case !m.know(d, pos):
		r.waits, r.limited = false, true
	case m.gone(d, pos):
		r.waits, r.want = false, m.feeds[d].how
	case sent != nil:
		sent.late = append(sent.late, r)
		if sent.lateLeader == nil {
			sent.lateLeader = r
		}
	case !m.mayCall(d, pos):
		r.waits, r.limited = false, true
	default:
		m.ask(d, pos, 1, m.feeds[d].idle)
		m.send(&refCall{feed: d, pos: pos, leader: r, early: []*refReader{r}})
	}
	m.script.settle()
}

func (m *model) sentAt(d int, pos shapes.Position) *refCall {
	for _, c := range m.reads {
		if c.feed == d && c.pos == pos && !c.alone {
			return c
		}
	}
	return nil
}

// send sends a call for those who are there. It has gone through the books already.
func (m *model) send(c *refCall) {
	c.sent = m.step
	m.reads = append(m.reads, c)
}

func (m *model) endCall(c *refCall) {
	m.reads = slices.DeleteFunc(m.reads, func(x *refCall) bool { return x == c })
	m.ask(c.feed, c.pos, -1, time.Now())
}

// leaveRead has a reader leave who waits.
func (m *model) leaveRead(whom int) {
	var waiting []*refReader
	for _, r := range m.readers {
		if r.waits {
			waiting = append(waiting, r)
		}
	}
	if len(waiting) == 0 {
		return
	}
	r := waiting[whom%len(waiting)]
	r.leave()
	r.waits, r.want = false, context.Canceled
	for _, c := range slices.Clone(m.reads) {
		gone := func(x *refReader) bool { return x == r }
		if !slices.ContainsFunc(c.early, gone) && !slices.ContainsFunc(c.late, gone) {
			continue
		}
		c.early, c.late = slices.DeleteFunc(c.early, gone), slices.DeleteFunc(c.late, gone)
		if len(c.early)+len(c.late) == 0 {
			m.endCall(c)
		}
	}
}

// answerRead answers a read. Who came too late for an answer that says up to date, or
// for a fault, is in a call that is sent now.
func (m *model) answerRead(c *call, call *refCall, how int) {
	b := &refBody{upToDate: how == 1 || how == 5, sent: call.sent, feed: call.feed, pos: call.pos}
	row := fmt.Sprintf(`{"key":"%d","headers":{"operation":"insert"}}`, m.serial)
	b.rows = row
	if how == 2 || how == 5 {
		b.rows = strings.Repeat(row+",", modelShare/len(row)) + row
	}
	end := "]"
	if b.upToDate {
		end = `,{"headers":{"control":"up-to-date"}}]`
	}
	m.endCall(call)
	switch how {
	case 3:
		c.reply <- reply{err: errDown}
		m.fault(call, errDown)
		return
	case 4:
		err := m.rotated()
		c.reply <- reply{err: err}
		if call.pos != start {
			m.rotate(call.feed, call.pos, err)
		}
		m.fault(call, err)
		return
	}
	c.reply <- reply{page: &shapes.Page{Next: behind(call.pos), Schema: "{}", Messages: shapes.NewBytesScanner([]byte("[" + b.rows + end)), Close: func() error { return nil }}}
	m.feeds[call.feed].named(behind(call.pos))
	room := m.held+modelShare <= modelShared*modelShare && !call.alone
	small := len(b.rows) < modelShare
	defer func() { m.held += b.held }()
	switch {
	case room && small:
		b.whole = true
		holders := call.early
		if !b.upToDate {
			holders = append(holders, call.late...)
			call.late = nil
		}
		for _, r := range holders {
			r.waits, r.got = false, b
		}
		b.readers = len(holders)
		if len(holders) > 0 {
			b.held = len(b.rows)
		}
		m.next(call)
	case len(call.early) > 0: // one takes it, and it depends on luck which
		b.stream, b.readers = true, 1
		if room {
			b.held = modelShare
		}
		m.ask(call.feed, call.pos, 1, time.Now())
		m.script.settle()
		for _, r := range call.early {
			if r.has() && r.page != nil && b.readers == 1 {
				r.waits, r.got, b.readers = false, b, 0
			} else {
				r.alone = true
			}
		}
		b.readers = 1
		fallthrough
	default:
		for _, r := range call.late {
			r.alone = true
		}
	}
}

func (m *model) fault(call *refCall, err error) {
	for _, r := range call.early {
		r.waits, r.want = false, err
	}
	m.next(call)
}

// next sends the call of those who came too late for another.
func (m *model) next(call *refCall) {
	if len(call.late) > 0 {
		m.ask(call.feed, call.pos, 1, time.Now())
		m.send(&refCall{feed: call.feed, pos: call.pos, leader: call.lateLeader, early: call.late})
	}
}

// settleAlone finds out who of those who have to read alone does so: as many as their
// environment may have calls for, and the others are refused.
func (m *model) settleAlone() error {
	var refused []*refReader
	for _, r := range m.readers {
		if !r.alone {
			continue
		}
		r.alone = false
		called := slices.ContainsFunc(m.calls, func(c *call) bool { return c.ctx.Value(readerID{}) == r.id })
		if called {
			if !m.mayCall(r.feed, r.pos) {
				return fmt.Errorf("reader %d reads alone, and may not", r.id)
			}
			m.ask(r.feed, r.pos, 1, time.Now())
			m.reads = append(m.reads, &refCall{feed: r.feed, pos: r.pos, leader: r, alone: true, early: []*refReader{r}, sent: m.step})
			continue
		}
		m.feeds[r.feed].idle = time.Now()
		r.waits, r.limited = false, true
		refused = append(refused, r)
	}
	for _, r := range refused {
		if m.mayCall(r.feed, r.pos) {
			return fmt.Errorf("reader %d is refused, and may read", r.id)
		}
	}
	return nil
}

// closePage has a reader read what it has, and close it.
func (m *model) closePage(whom int) {
	var have []*refReader
	for _, r := range m.readers {
		if r.got != nil && !r.closed {
			have = append(have, r)
		}
	}
	if len(have) == 0 {
		return
	}
	r := have[whom%len(have)]
	r.closed = true
	b := r.got
	var got shapes.Batch
	if whole, err := got.Fill(r.page.Messages, 1<<20); !whole || err != nil || string(got.Rows) != b.rows || got.UpToDate != b.upToDate {
		r.want = fmt.Errorf("read %v, %v, %+v; want %+v", whole, err, got, b)
	}
	_ = r.page.Close()
	_ = r.page.Close()
	if b.readers--; b.readers > 0 {
		return
	}
	m.held -= b.held
	if b.stream {
		m.ask(b.feed, b.pos, -1, time.Now())
	}
}

func (r *refReader) check() error {
	if r.has() == r.waits {
		return fmt.Errorf("has its answer: %v; %v, %v", !r.waits, r.page, r.err)
	}
	var limited *shapes.Limited
	switch {
	case r.waits:
	case r.got != nil:
		switch {
		case r.err != nil || r.want != nil:
			return fmt.Errorf("got %v, %v", r.err, r.want)
		case (r.page.Whole != nil) != r.got.whole || r.page.Next != behind(r.pos) || r.page.Schema != "{}":
			return fmt.Errorf("got %+v; want %+v", r.page, r.got)
		case r.got.upToDate && r.got.sent < r.came:
			return fmt.Errorf("came in step %d, and was told up to date by a call of step %d", r.came, r.got.sent)
		}
	case r.limited:
		if !errors.As(r.err, &limited) {
			return fmt.Errorf("got %v; want to be limited", r.err)
		}
	case r.err != r.want:
		return fmt.Errorf("got %v; want %v", r.err, r.want)
	}
	return nil
}
