package merge

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

var oneAt = bothAt(opened(1, true), shapes.Progress{})

// gaining has side 1 gain rows after a while; before the request if it is 0.
func gaining(after time.Duration) [Sides]<-chan struct{} {
	gains := make(chan struct{})
	if after == 0 {
		close(gains)
	} else {
		time.AfterFunc(after, func() { close(gains) })
	}
	return [Sides]<-chan struct{}{nil, gains}
}

// joining holds a client of one side while the other gains rows, after so long,
// and gives the answer and how long it took.
func joining(t *testing.T, a, b *fake, after time.Duration, check func(t *testing.T, got *Answer, held time.Duration)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		groups := [Sides]*flight.Group{flight.New(flight.Config{Source: a}), flight.New(flight.Config{Source: b})}
		defer groups[0].Close()
		defer groups[1].Close()
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		req := Request{Definitions: [Sides]*shapes.Definition{def, def}, From: oneAt, Hold: hold, Gains: gaining(after)}
		began := time.Now()
		got, err := New(Config{Upstreams: groups, PageBytes: 4 << 10}).Next(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		check(t, got, time.Since(began))
	})
}

// caughtUp has nothing to tell who reads it, but its schema.
func caughtUp() *fake { return newFake(answer{body: "[" + end + "]", next: place(1)}) }

// Columns that differ are found when a side joins, too.
func TestASideOfAnotherSchemaDoesNotJoin(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			a, b := caughtUp(), newFake(answer{body: "[" + row(7) + "," + end + "]", next: inf()})
			b.schema = `{"id":{"type":"int4"}}`
			groups := [Sides]*flight.Group{flight.New(flight.Config{Source: a}), flight.New(flight.Config{Source: b})}
			defer groups[0].Close()
			defer groups[1].Close()
			def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
			got, err := New(Config{Upstreams: groups}).Next(t.Context(), Request{
				Definitions: [Sides]*shapes.Definition{def, def}, From: oneAt, Hold: hold, Gains: gaining(after),
			})
			var mismatch *shapes.ColumnMismatch
			if !errors.As(err, &mismatch) || mismatch.Column != "id" {
				t.Errorf("%+v, %v", got, err)
			}
			if a.open+b.open != 0 {
				t.Errorf("%d and %d pages are open", a.open, b.open)
			}
		})
	}
}

// The first rows of a second table reach who is held at once, as inserts.
func TestASideJoinsWhileAClientIsHeld(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Second} {
		b := newFake(answer{body: "[" + row(7) + "," + snapshot5 + "," + end + "]", next: inf()})
		joining(t, caughtUp(), b, after, func(t *testing.T, got *Answer, held time.Duration) {
			if held != after {
				t.Errorf("held for %v", held)
			}
			joined := shapes.Progress{Opened: true, Position: inf(), UpToDate: true}
			if got.Next != bothAt(opened(1, true), joined) || !got.UpToDate {
				t.Errorf("goes on at %+v", got.Next)
			}
			// The client was told of the end of the snapshot before, and the rows
			// of both sides are in the least position of both.
			if want := "[" + row(7) + `,{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}]`; body(t, got) != want {
				t.Errorf("got %s", body(t, got))
			}
		})
	}
}

// A feed that has no rows of the second table is held on, with both sides.
func TestASideWithoutRowsJoinsInSilence(t *testing.T) {
	b := newFake(answer{body: "[" + snapshot5 + "," + end + "]", next: inf()})
	b.news = []answer{{body: "[" + row(8) + "," + end + "]", next: place(9)}}
	joining(t, caughtUp(), b, time.Second, func(t *testing.T, got *Answer, held time.Duration) {
		if held != time.Second || got.Next != bothAt(opened(1, true), opened(9, true)) || !strings.Contains(body(t, got), row(8)) {
			t.Errorf("after %v: %+v %s", held, got.Next, body(t, got))
		}
	})
}

// A snapshot of many chunks comes in several answers: the first has as much of it
// as the upstream gave, and the place behind that.
func TestALargeSideJoins(t *testing.T) {
	b := newFake(answer{body: "[" + rows(pageLarger) + "]", next: place0(0)})
	joining(t, caughtUp(), b, time.Second, func(t *testing.T, got *Answer, _ time.Duration) {
		joined := shapes.Progress{Opened: true, Position: place0(0)}
		if got.UpToDate || got.Next != bothAt(opened(1, true), joined) || got.Size() >= 0 || body(t, got) != "["+rows(pageLarger)+"]" {
			t.Errorf("%+v", got)
		}
	})
}

// A side that joins has not said that it is up to date, and its shape begins to fail:
// who is held is held on until it does, for there is nothing to tell.
func TestASideJoinsInTwoReadsAndFailsBetween(t *testing.T) {
	rest := answer{body: "[" + snapshot5 + "," + end + "]", next: inf()}
	b := &patient{fake: newFake(answer{body: "[]", next: place0(0)}, rest), fault: &shapes.Unavailable{Err: errors.New("down")}}
	b.news = []answer{{body: "[" + row(8) + "," + end + "]", next: place(9)}}
	req := Request{From: oneAt, Hold: hold}
	gains := make(chan struct{})
	close(gains)
	req.Gains[1] = gains
	askPatient(t, caughtUp(), b, req, func(t *testing.T, got *Answer, err error) {
		if err != nil || !got.UpToDate || got.Next != bothAt(opened(1, true), opened(9, true)) || b.once != 0 {
			t.Errorf("%+v, %v, %d reads without patience", got, err, b.once)
		}
	})
}

// A side that cannot be read in time has not joined: the hold ends as it would
// have, and news of the other side does not wait.
func TestASideThatIsSlowToJoin(t *testing.T) {
	joining(t, caughtUp(), newFake(), time.Second, func(t *testing.T, got *Answer, held time.Duration) {
		if held != hold || got.Next != oneAt || !got.UpToDate {
			t.Errorf("after %v: %+v", held, got)
		}
	})
	a := withNews(answer{body: "[" + row(1) + "," + end + "]", next: place(50)})
	joining(t, a, newFake(), 0, func(t *testing.T, got *Answer, held time.Duration) {
		if held > completeWithin || got.Next != bothAt(opened(50, true), shapes.Progress{}) || !got.UpToDate {
			t.Errorf("after %v: %+v", held, got)
		}
	})
}

// A request that is not live reads what it came for.
func TestNoSideJoinsWhatIsNotHeld(t *testing.T) {
	a, b := newFake(answer{body: "[" + end + "]", next: place(1)}), newFake()
	askBoth(t, a, b, Request{From: oneAt, Gains: gaining(0)}, func(t *testing.T, got *Answer, err error) {
		if err != nil || got.Next != oneAt {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// Where no side may be opened any more, one that gains rows ends the hold.
func TestAFixedRequestEndsWhenASideGains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := flight.New(flight.Config{Source: newFake()})
		defer group.Close()
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		began := time.Now()
		got, err := New(Config{Upstreams: [Sides]*flight.Group{group, group}}).Next(t.Context(), Request{
			Definitions: [Sides]*shapes.Definition{def, def}, From: oneAt, Hold: hold, Gains: gaining(3 * time.Second), Fixed: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if held := time.Since(began); held != 3*time.Second || got.Next != oneAt || !got.UpToDate {
			t.Errorf("after %v: %+v", held, got)
		}
	})
}
