package merge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is one side's upstream, answering as the test says.
type fake struct {
	schema string
	reads  []answer        // taken one by one
	news   []answer        // taken one by one; then waits are silent
	open   int             // pages not closed
	unread *strings.Reader // of the last page
}

type answer struct {
	body string
	next shapes.Position
	err  error
}

const schema = `{"id":{"type":"text","not_null":true,"pk_index":0}}`

func newFake(reads ...answer) *fake {
	return &fake{schema: schema, reads: reads}
}

func (f *fake) Read(ctx context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.Page, error) {
	if len(f.reads) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a := f.reads[0]
	f.reads = f.reads[1:]
	if a.err != nil {
		return nil, a.err
	}
	f.open++
	f.unread = strings.NewReader(a.body)
	closed := false
	return &shapes.Page{Next: a.next, Schema: f.schema, Messages: shapes.NewScanner(f.unread), Close: func() error {
		if !closed {
			f.open--
		}
		closed = true
		return nil
	}}, nil
}

func (f *fake) Wait(ctx context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.News, error) {
	if len(f.news) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a := f.news[0]
	f.news = f.news[1:]
	if a.err != nil {
		return nil, a.err
	}
	news := &shapes.News{Next: a.next}
	_, err := news.Fill(shapes.NewBytesScanner([]byte(a.body)), 1<<20)
	return news, err
}

func row(n int) string {
	return fmt.Sprintf(`{"key":"%d","value":{"payload":"%s"},"headers":{"operation":"insert"}}`, n, strings.Repeat("x", 100))
}

func rows(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = row(i)
	}
	return strings.Join(all, ",")
}

const (
	end        = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"100"}}`
	merged     = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"100"}}`
	snapshot7  = `{"headers":{"control":"snapshot-end","xmin":"7","xmax":"9","xip_list":["8"]}}`
	snapshot5  = `{"headers":{"control":"snapshot-end","xmin":"5","xmax":"6","xip_list":[]}}`
	bothSeen   = `{"headers":{"control":"snapshot-end","xmin":"5","xmax":"5","xip_list":[]}}`
	hold       = 20 * time.Second
	pageLarger = 100 // rows: more than the test's PageBytes
)

// askBoth runs one request over two fakes on a fake clock.
func askBoth(t *testing.T, a, b *fake, req Request, check func(t *testing.T, got *Answer, err error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		groups := [Sides]*flight.Group{flight.New(flight.Config{Source: a, ShareBytes: 4 << 10}), flight.New(flight.Config{Source: b, ShareBytes: 4 << 10})}
		m := New(Config{Upstreams: groups, PageBytes: 4 << 10})
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		req.Definitions = [Sides]*shapes.Definition{def, def}
		got, err := m.Next(t.Context(), req)
		check(t, got, err)
		if got != nil {
			got.Close()
		}
		for _, g := range groups {
			g.Close()
		}
		if a.open != 0 || b.open != 0 {
			t.Errorf("%d and %d pages were never closed", a.open, b.open)
		}
	})
}

func body(t *testing.T, a *Answer) string {
	t.Helper()
	var b strings.Builder
	size := a.Size()
	n, err := a.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if int(n) != b.Len() || size >= 0 && size != b.Len() {
		t.Errorf("wrote %d bytes, said %d, promised %d", b.Len(), n, size)
	}
	if !json.Valid([]byte(b.String())) {
		t.Errorf("not JSON: %s", b.String())
	}
	return b.String()
}

func place0(chunk uint32) shapes.Position {
	return shapes.Position{Handle: "h", Offset: shapes.SnapshotChunk(chunk)}
}

func inf() shapes.Position { return shapes.Position{Handle: "h", Offset: shapes.SnapshotEnd} }

func bothAt(a, b shapes.Progress) [Sides]shapes.Progress { return [Sides]shapes.Progress{a, b} }

// A small feed is whole in one answer.
func TestASmallFeedNeedsOneRoundTrip(t *testing.T) {
	side := func(snapshot string, n int) *fake {
		return newFake(answer{body: "[" + row(n) + "," + snapshot + "]", next: place0(0)}, answer{body: "[" + end + "]", next: inf()})
	}
	askBoth(t, side(snapshot7, 1), side(snapshot5, 2), Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})},
		func(t *testing.T, got *Answer, err error) {
			if err != nil {
				t.Fatal(err)
			}
			b := body(t, got)
			if want := "[" + row(1) + "," + row(2) + "," + bothSeen + "," + merged + "]"; b != want && b != "["+row(2)+","+row(1)+","+bothSeen+","+merged+"]" {
				t.Errorf("got\n%s\nwant\n%s", b, want)
			}
			if want := (shapes.Progress{Opened: true, UpToDate: true, Position: inf()}); got.Next != bothAt(want, want) || !got.UpToDate || got.Schema != schemaOut {
				t.Errorf("got %+v", got)
			}
		})
}

const schemaOut = `{"id":{"not_null":true,"pk_index":0,"type":"text"}}`

// A body too large to hold is streamed, never up to date, and moves both sides.
func TestALargeFeedIsStreamed(t *testing.T) {
	a := newFake(answer{body: "[" + rows(pageLarger) + "," + snapshot7 + "," + end + "]", next: inf()})
	b := newFake(answer{body: "[" + rows(pageLarger) + "]", next: place0(0)})
	askBoth(t, a, b, Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if got.Size() != -1 || got.UpToDate {
			t.Errorf("size %d, up to date %v", got.Size(), got.UpToDate)
		}
		text := body(t, got)
		if strings.Contains(text, "control") || strings.Count(text, `"key"`) != 2*pageLarger {
			t.Errorf("%d rows, control %v", strings.Count(text, `"key"`), strings.Contains(text, "control"))
		}
		if got.Next[0].Position != inf() || got.Next[1].Position != place0(0) || got.Next[0].UpToDate || got.Next[1].UpToDate {
			t.Errorf("goes on at %+v", got.Next)
		}
	})
}

// What is streamed is written a piece at a time, cut between rows; a client that
// does not take one is not sent the next.
func TestALargeFeedComesInPieces(t *testing.T) {
	const many = 10_000
	side := func(first int) *fake {
		var all []string
		for n := range many {
			all = append(all, row(first+n))
		}
		return newFake(answer{body: "[" + strings.Join(all, ",") + "]", next: place0(0)})
	}
	req := Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}
	askBoth(t, side(0), side(many), req, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		var w pieces
		if _, err := got.WriteTo(&w); err != nil {
			t.Error(err)
		}
		var messages []struct {
			Key int `json:",string"`
		}
		if err := json.Unmarshal([]byte(w.String()), &messages); err != nil || len(messages) != 2*many {
			t.Fatalf("%d messages, %v", len(messages), err)
		}
		next := [Sides]int{0, many}
		for _, m := range messages {
			if at := &next[m.Key/many]; m.Key == *at {
				*at++
				continue
			}
			t.Fatalf("row %d, not %v", m.Key, next)
		}
		if w.largest > enough+len(row(2*many)) || w.largest < enough/2 {
			t.Errorf("a piece of %d bytes", w.largest)
		}
	})
	gone := errors.New("the client has gone")
	for _, after := range []int{pieceBytes, 3 * enough} {
		a, b := side(0), side(many)
		askBoth(t, a, b, req, func(t *testing.T, got *Answer, err error) {
			if err != nil {
				t.Fatal(err)
			}
			w := pieces{fails: gone, after: after}
			if _, err := got.WriteTo(&w); err != gone || w.Len() > w.after || w.Len() < w.after/2 || w.failures != 1 {
				t.Errorf("%v after %d bytes, tried %d times more", err, w.Len(), w.failures-1)
			}
			if a.unread.Len() == 0 || b.unread.Len() == 0 {
				t.Errorf("read on for nobody: %d and %d bytes are unread", a.unread.Len(), b.unread.Len())
			}
		})
	}
}

// pieces notes the largest write, and fails from a length on.
type pieces struct {
	strings.Builder
	largest, after, failures int
	fails                    error
}

func (p *pieces) Write(b []byte) (int, error) {
	p.largest = max(p.largest, len(b))
	if p.fails != nil && p.Len()+len(b) > p.after {
		p.failures++
		return 0, p.fails
	}
	return p.Builder.Write(b)
}

func TestABodyThatBreaksOffIsAnError(t *testing.T) {
	small := newFake(answer{body: "[" + row(1), next: inf()})
	askBoth(t, small, newFake(answer{body: "[]", next: inf()}), Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})},
		func(t *testing.T, got *Answer, err error) {
			var unavailable *shapes.Unavailable
			if !errors.As(err, &unavailable) {
				t.Errorf("held: %v", err)
			}
		})
	large := newFake(answer{body: "[" + rows(pageLarger), next: inf()})
	askBoth(t, large, newFake(answer{body: "[" + end + "]", next: inf()}), Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})},
		func(t *testing.T, got *Answer, err error) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := got.WriteTo(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("streamed: %v", err)
			}
		})
}

var liveAt = bothAt(opened(1, true), opened(1, true))

// The first side with news answers, together with what the other has ready; the
// other keeps its place.
func TestLiveRace(t *testing.T) {
	a, b := newFake(), newFake()
	a.news = append(a.news, answer{body: "[" + row(1) + "," + end + "]", next: place(50)})
	askBoth(t, a, b, Request{From: liveAt, Hold: hold}, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		// side 1 is at least where its last row was: transaction 1
		if want := "[" + row(1) + `,{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}]`; body(t, got) != want {
			t.Errorf("got %s", body(t, got))
		}
		if got.Next != bothAt(opened(50, true), opened(1, true)) || got.Schema != "" {
			t.Errorf("got %+v", got)
		}
	})
	a, b = newFake(), newFake()
	a.news = append(a.news, answer{body: "[" + row(1) + "," + end + "]", next: place(50)})
	b.news = append(b.news, answer{body: "[" + row(2) + "," + end + "]", next: place(50)})
	askBoth(t, a, b, Request{From: liveAt, Hold: hold}, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		// Both landed before the fake clock could move; how many the first
		// answer takes along is the scheduler's, but no row may be dropped.
		if n := strings.Count(body(t, got), `"key"`); n == 2 != (got.Next[0] == got.Next[1]) {
			t.Errorf("%d rows, next %+v", n, got.Next)
		}
	})
}

// Rows do not wait out the hold for a side that is behind and does not answer.
func TestNewsDoesNotWaitForASlowSide(t *testing.T) {
	req := Request{From: bothAt(opened(1, true), opened(1, false)), Hold: hold}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a := flight.New(flight.Config{Source: withNews(answer{body: "[" + row(1) + "," + end + "]", next: place(50)})})
		b := flight.New(flight.Config{Source: newFake()}) // its reads are never answered
		defer a.Close()
		defer b.Close()
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		req.Definitions = [Sides]*shapes.Definition{def, def}
		got, err := New(Config{Upstreams: [Sides]*flight.Group{a, b}}).Next(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if waited := time.Since(began); waited != completeWithin {
			t.Errorf("answered after %v", waited)
		}
		if got.UpToDate || got.Next != bothAt(opened(50, true), opened(1, false)) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestLiveSilence(t *testing.T) {
	started := time.Time{}
	askBoth(t, newFake(), newFake(), Request{From: liveAt, Hold: hold}, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if want := `[{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}]`; body(t, got) != want || !got.UpToDate || got.Next != liveAt {
			t.Errorf("got %s, %+v", body(t, got), got)
		}
		started = time.Now()
	})
	if started.IsZero() {
		t.Error("never answered")
	}
}

func TestCutEndsTheHold(t *testing.T) {
	cut := make(chan struct{})
	close(cut)
	askBoth(t, newFake(), newFake(), Request{From: liveAt, Hold: 1000 * time.Hour, Cut: cut}, func(t *testing.T, got *Answer, err error) {
		if err != nil || !got.UpToDate {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestCutLeavesCatchingUpAlone(t *testing.T) {
	cut := make(chan struct{})
	close(cut)
	side := func() *fake { return newFake(answer{body: "[" + row(1) + "," + end + "]", next: inf()}) }
	req := Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true}), Cut: cut}
	for range 20 { // the answer and the cut are both there: neither may win by chance
		askBoth(t, side(), side(), req, func(t *testing.T, got *Answer, err error) {
			if err != nil || !got.UpToDate {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func TestEndings(t *testing.T) {
	rotated, down := &shapes.Rotated{Handle: "new"}, &shapes.Unavailable{RetryAfter: 3 * time.Second}
	fresh := bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})
	fine := answer{body: "[" + row(1) + "," + end + "]", next: inf()}
	for name, c := range map[string]struct {
		a, b *fake
		req  Request
		want error
	}{
		"rotated, read": {newFake(fine), newFake(answer{err: rotated}), Request{From: fresh}, rotated},
		"down, read":    {newFake(answer{err: down}), newFake(fine), Request{From: fresh}, down},
		"rotated, held": {newFake(), withNews(answer{err: rotated}), Request{From: liveAt, Hold: hold}, rotated},
		"down, held":    {withNews(answer{err: down}), newFake(), Request{From: liveAt, Hold: hold}, down},
	} {
		t.Run(name, func(t *testing.T) {
			askBoth(t, c.a, c.b, c.req, func(t *testing.T, got *Answer, err error) {
				if err != c.want {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
	large := answer{body: "[" + rows(pageLarger) + "]", next: inf()}
	for range 20 { // whichever comes first, the page of the other side is closed
		askBoth(t, newFake(large), newFake(answer{err: rotated}), Request{From: fresh}, func(t *testing.T, _ *Answer, err error) {
			if err != rotated {
				t.Errorf("rotated beside a large page: %v", err)
			}
		})
	}
	other := newFake(fine)
	other.schema = `{"id":{"type":"int4"}}`
	askBoth(t, newFake(fine), other, Request{From: fresh}, func(t *testing.T, got *Answer, err error) {
		var mismatch *shapes.ColumnMismatch
		if !errors.As(err, &mismatch) {
			t.Errorf("two schemas: %v", err)
		}
	})
	askBoth(t, newFake(), newFake(fine), Request{From: fresh}, func(t *testing.T, got *Answer, err error) {
		var unavailable *shapes.Unavailable
		if !errors.As(err, &unavailable) {
			t.Errorf("a side that never answers a read: %v", err)
		}
	})
}

func withNews(a answer) *fake {
	f := newFake()
	f.news = append(f.news, a)
	return f
}

// The ends of the sides' snapshots become one, whenever each comes.
func TestSnapshotEnds(t *testing.T) {
	first, second := heardOf{ended: true, xmin: 7}, heardOf{ended: true, xmin: 5}
	chunk := shapes.Progress{Opened: true, Position: place0(1)}
	past := opened(9, true)
	for name, c := range map[string]struct {
		a           Answer
		emit, carry uint64
	}{
		"none":                  {Answer{Next: bothAt(chunk, chunk)}, 0, 0},
		"both at once":          {Answer{Next: bothAt(past, past), sides: [Sides]heardOf{first, second}}, 5, 0},
		"one, other goes on":    {Answer{Next: bothAt(past, chunk), sides: [Sides]heardOf{first, {}}}, 0, 7},
		"other in between":      {Answer{Next: bothAt(past, chunk), xmin: 7}, 0, 7},
		"then the other":        {Answer{Next: bothAt(past, past), sides: [Sides]heardOf{{}, second}, xmin: 7}, 5, 0},
		"then the other, later": {Answer{Next: bothAt(past, past), sides: [Sides]heardOf{{}, first}, xmin: 5}, 5, 0},
		"the other gave none":   {Answer{Next: bothAt(past, past), sides: [Sides]heardOf{{}, second}}, 0, 0},
		"one side":              {Answer{Next: bothAt(shapes.Progress{}, past), sides: [Sides]heardOf{{}, second}}, 5, 0},
		"the other not opened":  {Answer{Next: bothAt(shapes.Progress{}, past), sides: [Sides]heardOf{{}, second}, part: true}, 0, 0},
		"separate databases":    {Answer{Next: bothAt(past, past), sides: [Sides]heardOf{first, second}, mute: true}, 0, 0},
	} {
		if emit, carry := c.a.endOfSnapshots(); emit != c.emit || carry != c.carry {
			t.Errorf("%s: emits %d and carries %d, want %d and %d", name, emit, carry, c.emit, c.carry)
		}
	}
}

func TestTheClientsContextEndsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := flight.New(flight.Config{Source: newFake()})
		defer group.Close()
		m := New(Config{Upstreams: [Sides]*flight.Group{group, group}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		for _, req := range []Request{{From: liveAt, Hold: hold}, {From: bothAt(opened(1, false), opened(1, false))}} {
			req.Definitions = [Sides]*shapes.Definition{def, def}
			if _, err := m.Next(ctx, req); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
	})
}
