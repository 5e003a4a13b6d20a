package merge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Answer is what follows a place in a feed: a body of rows, and where to go on
// when it was read. It belongs to one goroutine.
type Answer struct {
	// Next is where to go on, and Xmin what to ask with then.
	Next [Sides]shapes.Progress
	Xmin uint64
	// UpToDate says that the body ends with an up-to-date message.
	UpToDate bool
	// Schema describes the columns of all sides; only if the request was not
	// live.
	Schema string
	// Crowd is how many are told some of its news at this moment; 0: none that came while it
	// was waited for.
	Crowd int

	rows   [][]byte       // each a run of messages, shared: never written to
	two    [Sides][]byte  // what rows points into, as long as that is enough
	framed *shapes.Framed // of the news that is all there is in rows, if it is that
	whole  []byte         // the body, shared; nil: it is made as it is written
	length string         // of whole
	recast func(rows []byte) []byte
	sides  [Sides]heardOf
	pages  []*openPage
	tail   []byte // the control messages, if nothing is streamed
	xmin   uint64 // as the request brought it
	mute   bool   // say nothing of log positions
	part   bool   // a side of the feed is not opened
	budget *budget
	taken  int         // of it
	shared []*openPage // whose memory some of the rows are
}

// heardOf is what an answer knows of one side beyond its rows.
type heardOf struct {
	lsn   uint64
	ended bool // its snapshot-end came in this answer
	xmin  uint64
}

func (a *Answer) add(side int, b *shapes.Batch) {
	if len(b.Rows) > 0 {
		if a.rows == nil {
			a.rows = a.two[:0]
		}
		a.rows = append(a.rows, b.Rows)
		a.framed = nil
	}
	a.note(side, b)
}

// addNews is add, for what others are told, too.
func (a *Answer) addNews(side int, news *shapes.News) {
	a.add(side, &news.Batch)
	if len(a.rows) == 1 {
		a.framed = news.Framed
	}
}

func (a *Answer) note(side int, b *shapes.Batch) {
	h := &a.sides[side]
	h.lsn = max(h.lsn, b.LSN)
	if b.SnapshotEnded {
		h.ended, h.xmin = true, b.Xmin
	}
}

// finish makes the answer of what is in hand.
func (r *Held) finish() (*Answer, error) {
	a := &r.answer
	if r.req.Hold == 0 {
		var of []string
		for i := range r.state.Sides {
			if r.state.Sides[i].Opened {
				of = append(of, r.reads.schemas[i])
			}
		}
		var err error
		if a.Schema, err = r.merger.schemas.merge(of); err != nil {
			a.Close()
			return nil, err
		}
	}
	for i := range a.Next {
		a.Next[i] = r.state.Sides[i].Progress
		a.part = a.part || r.req.Definitions[i] != nil && !a.Next[i].Opened
	}
	a.UpToDate = r.state.UpToDate()
	a.mute = r.merger.config.SeparateDatabases
	a.xmin = r.req.Xmin
	var snapshotEnd uint64
	snapshotEnd, a.Xmin = a.endOfSnapshots()
	if len(a.pages) == 0 {
		a.end(snapshotEnd)
	}
	return a, nil
}

// maxControl is about the length of all that ends a body.
const maxControl = 224

// end makes the control messages that end the body. Most who are told a piece of news
// are told the same, and nothing else: they share the body.
func (a *Answer) end(snapshotEnd uint64) {
	var buf [maxControl]byte
	tail := a.control(buf[:0], snapshotEnd, "")
	if a.framed != nil && len(a.rows) == 1 && len(tail) > 0 {
		if a.whole, a.length = a.framed.Body(a.rows[0], tail); a.whole != nil {
			a.tail = a.whole[len(a.whole)-len("]")-len(tail) : len(a.whole)-len("]")]
			return
		}
	}
	a.tail = bytes.Clone(tail)
}

// Recast has the rows of the body, framed as in a shapes.Batch, pass through f,
// which must not write to what it gets: others read it too. It comes before Size
// and WriteTo, once. f is safe for concurrent use: sides are written at the same time.
func (a *Answer) Recast(f func(rows []byte) []byte) {
	for i, rows := range a.rows {
		if a.rows[i] = f(rows); !same(a.rows[i], rows) {
			a.whole = nil
		}
	}
	a.recast = f
}

// same says that two slices are one.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Whole is the body if it is shared with others who are told the same, and so in one
// piece; never written to. nil: it is made as it is written.
func (a *Answer) Whole() []byte { return a.whole }

// Length is Size in decimal, or "" if the body is streamed.
func (a *Answer) Length() string {
	if a.whole != nil {
		return a.length
	}
	size := a.Size()
	if size < 0 {
		return ""
	}
	return strconv.Itoa(size)
}

// Size is the length of the body in bytes, or -1 if it is streamed.
func (a *Answer) Size() int {
	if len(a.pages) > 0 {
		return -1
	}
	if a.whole != nil {
		return len(a.whole)
	}
	n := len("[]") + len(a.tail)
	for i, rows := range a.rows {
		if i > 0 {
			n++
		}
		n += len(rows)
	}
	if len(a.rows) > 0 && len(a.tail) > 0 {
		n++
	}
	return n
}

// Empty says that the body has nothing but an up-to-date, if that.
func (a *Answer) Empty() bool {
	snapshotEnd, _ := a.endOfSnapshots()
	return len(a.rows) == 0 && len(a.pages) == 0 && snapshotEnd == 0
}

// WriteTo writes the body. An error in the middle leaves it broken off. Where one
// that is streamed has to wait for its upstream, and w can Flush, it is kept alive.
//
// If a shape is rotated in the middle, the body ends there without an error: the
// next request is told so.
func (a *Answer) WriteTo(w io.Writer) (int64, error) {
	if a.whole != nil {
		n, err := w.Write(a.whole)
		return int64(n), err
	}
	body := &bodyWriter{w: w, wrote: time.Now()}
	_, err := a.write(body, "")
	return body.result(err)
}

// write writes the body, and says whether a shape was rotated in the middle. lsn,
// if it is not empty, goes out in place of the sides' own.
func (a *Answer) write(body *bodyWriter, lsn string) (rotated bool, err error) {
	if len(a.pages) > 0 {
		defer body.keepAlive()()
	}
	body.bracket("[")
	for i, rows := range a.rows {
		body.messages(rows)
		a.rows[i] = nil // a reader may take long over the pages
	}
	a.giveBack()
	rotated, err = a.drain(body)
	if err != nil {
		return false, err
	}
	if rotated {
		body.bracket("]")
		return true, nil
	}
	if len(a.pages) > 0 || lsn != "" {
		snapshotEnd, _ := a.endOfSnapshots()
		a.tail = a.control(nil, snapshotEnd, lsn)
	}
	body.messages(a.tail)
	body.bracket("]")
	return false, nil
}

// drain writes what the pages yield, as it comes: each is read and scanned by a goroutine
// of its own, so that a processor does one while another does the other. The first that
// fails, or is rotated, ends the rest. What one panics with, drain panics with, where
// whoever serves the request can stop it.
func (a *Answer) drain(body *bodyWriter) (rotated bool, err error) {
	type outcome struct {
		err    error
		thrown any
	}
	outcomes := make(chan outcome, len(a.pages))
	for _, p := range a.pages {
		go func() {
			var o outcome
			defer func() {
				if thrown := recover(); thrown != nil {
					o.thrown = fmt.Sprintf("%v\n\n%s", thrown, debug.Stack()) // the other stack says nothing of it
				}
				outcomes <- o
			}()
			o.err = a.drainOne(p, body)
		}()
	}
	var thrown any
	for range a.pages {
		o := <-outcomes
		if o.err == nil && o.thrown == nil {
			continue
		}
		if thrown == nil {
			thrown = o.thrown
		}
		if err == nil {
			err = o.err
		}
		for _, p := range a.pages {
			p.cancel()
		}
	}
	if thrown != nil {
		panic(thrown)
	}
	if _, rotated = errors.AsType[*shapes.Rotated](err); rotated {
		return true, nil
	}
	return false, err
}

func (a *Answer) drainOne(p *openPage, body *bodyWriter) error {
	return p.drain(func(piece *shapes.Batch) error {
		a.note(p.side, piece)
		rows := piece.Rows
		if a.recast != nil {
			rows = a.recast(rows)
		}
		body.messages(rows)
		return body.failed()
	})
}

// Close ends the calls that the body still comes from, and gives back what it took
// of the budget. It may be called twice.
func (a *Answer) Close() {
	a.giveBack()
	for _, p := range a.pages {
		p.close()
	}
	a.pages = nil
}

func (a *Answer) giveBack() {
	if a.taken > 0 {
		a.budget.give(a.taken)
		a.taken = 0
	}
	for _, p := range a.shared {
		p.close()
	}
	a.shared = nil
}

// endOfSnapshots says whether this answer completes the snapshots of all sides,
// and with which xmin: the least, which every side has seen. What is known of
// sides that ended while others had not is carried to the next request. Where a
// side gave no end, or is not opened yet, nothing is said: nothing would be true.
func (a *Answer) endOfSnapshots() (emit, carry uint64) {
	if a.mute || a.part {
		return 0, 0
	}
	opened, ended, least := 0, 0, a.xmin
	for i, h := range a.sides {
		if !a.Next[i].Opened {
			continue
		}
		opened++
		if h.ended {
			ended++
			if least == 0 || h.xmin < least {
				least = h.xmin
			}
		}
	}
	switch {
	case ended == 0:
		return 0, a.xmin
	case ended == opened || a.xmin != 0:
		return least, 0
	}
	for i, h := range a.sides {
		if a.Next[i].Opened && !h.ended && !a.Next[i].Offset.InSnapshot() {
			return 0, 0
		}
	}
	return 0, least
}

// control appends the control messages that end the body; lsn, if it is not empty, goes
// out in place of the sides' own.
func (a *Answer) control(b []byte, snapshotEnd uint64, lsn string) []byte {
	if snapshotEnd > 0 {
		b = append(b, `{"headers":{"control":"snapshot-end","xmin":"`...)
		b = strconv.AppendUint(b, snapshotEnd, 10)
		b = append(b, `","xmax":"`...)
		b = strconv.AppendUint(b, snapshotEnd, 10)
		b = append(b, `","xip_list":[]}}`...)
	}
	if !a.UpToDate {
		return b
	}
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"headers":{"control":"up-to-date"`...)
	const name = `,"global_last_seen_lsn":"`
	if lsn != "" {
		b = append(append(append(b, name...), lsn...), '"')
	} else if lowest, ok := a.lowest(); ok {
		b = append(strconv.AppendUint(append(b, name...), lowest, 10), '"')
	}
	return append(b, "}}"...)
}

// lowest is the log position up to which the client has seen every side. A side
// that said nothing of it is at least where its last row was.
func (a *Answer) lowest() (uint64, bool) {
	lowest, some := uint64(0), false
	for i, h := range a.sides {
		if !a.Next[i].Opened {
			continue
		}
		if at := max(h.lsn, a.Next[i].Offset.Tx); !some || at < lowest {
			lowest, some = at, true
		}
	}
	return lowest, some && !a.mute
}
