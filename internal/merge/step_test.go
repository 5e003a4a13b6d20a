package merge

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

func place(tx uint64) shapes.Position {
	return shapes.Position{Handle: "h", Offset: shapes.LogOffset(tx, 0)}
}

func opened(tx uint64, upToDate bool) shapes.Progress {
	return shapes.Progress{Opened: true, Position: place(tx), UpToDate: upToDate}
}

// show gives a step's result in a few words.
func show(s State, effects []Effect) string {
	words := []string{[]string{"Idle", "Gathering", "Holding", "Completing", "Settling", "Answered", "Refetch", "Unavailable"}[s.Phase]}
	if s.Phase == Answered && s.UpToDate() {
		words = append(words, "up-to-date")
	}
	for _, e := range effects {
		words = append(words, fmt.Sprintf("%s%d", []string{"read", "read on ", "wait", "settle"}[e.Kind], e.Side))
	}
	return strings.Join(words, " ")
}

// path runs events from Begin and gives the state and the last step's result.
func path(s State, events ...Event) (State, string) {
	var effects []Effect
	for _, e := range append([]Event{{Kind: Begin}}, events...) {
		s, effects = Step(s, e)
	}
	return s, show(s, effects)
}

var (
	catchUp  = State{Sides: [Sides]Side{{Progress: opened(1, true)}, {Progress: opened(1, false)}}}
	live     = State{Live: true, Sides: [Sides]Side{{Progress: opened(1, true)}, {Progress: opened(1, true)}}}
	behind   = State{Live: true, Sides: [Sides]Side{{Progress: opened(1, true)}, {Progress: opened(1, false)}}}
	oneSided = State{Live: true, Sides: [Sides]Side{{Progress: opened(1, true)}}}

	oneBehind  = State{Live: true, Sides: [Sides]Side{{Progress: opened(1, false)}}}
	bothBehind = State{Live: true, Sides: [Sides]Side{{Progress: opened(1, false)}, {Progress: opened(1, false)}}}

	whole0     = Event{Kind: Whole, Side: 0, Next: place(2), UpToDate: true, Rows: true}
	empty0     = Event{Kind: Whole, Side: 0, Next: place(1), UpToDate: true}
	whole1     = Event{Kind: Whole, Side: 1, Next: place(2), UpToDate: true, Rows: true}
	empty1     = Event{Kind: Whole, Side: 1, Next: place(1), UpToDate: true}
	part1      = Event{Kind: Whole, Side: 1, Next: place(2), Rows: true}
	more1      = Event{Kind: Whole, Side: 1, Next: place(3), Rows: true}
	stuck1     = Event{Kind: Whole, Side: 1, Next: place(1)}
	moved1     = Event{Kind: Whole, Side: 1, Next: place(2)}
	large0     = Event{Kind: Large, Side: 0, Next: place(2), Rows: true}
	large1     = Event{Kind: Large, Side: 1, Next: place(2), Rows: true}
	news0      = Event{Kind: News, Side: 0, Next: place(2), UpToDate: true, Rows: true}
	news1      = Event{Kind: News, Side: 1, Next: place(2), UpToDate: true, Rows: true}
	unfinished = Event{Kind: News, Side: 0, Next: place(2), Rows: true}
	rotated0   = Event{Kind: Rotated, Side: 0}
	rotated1   = Event{Kind: Rotated, Side: 1}
	failed0    = Event{Kind: Failed, Side: 0}
	failed1    = Event{Kind: Failed, Side: 1}
	gained1    = Event{Kind: Gained, Side: 1}
	settled    = Event{Kind: Settled}
	expired    = Event{Kind: Expired}
)

// TestTable has a line for every cell of the table in the package's doc.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		cell   string
		from   State
		events []Event
		want   string
	}{
		// Begin
		{"Idle/Begin", catchUp, nil, "Gathering read0 read1"},
		{"Idle/Begin", live, nil, "Holding wait0 wait1"},
		{"Idle/Begin", behind, nil, "Holding wait0 read1"},
		{"Idle/Begin", oneSided, nil, "Holding wait0"},
		{"Idle/Begin", State{Live: true, Sides: [Sides]Side{{Progress: shapes.Progress{Opened: true, UpToDate: true}}}}, nil, "Holding read0"},
		{"Gathering/Begin", catchUp, []Event{{Kind: Begin}}, "Gathering"},
		{"Holding/Begin", live, []Event{{Kind: Begin}}, "Holding"},

		// Gathering
		{"Gathering/Whole, other out", catchUp, []Event{whole0}, "Gathering"},
		{"Gathering/Whole, last", catchUp, []Event{whole0, whole1}, "Answered up-to-date"},
		{"Gathering/Whole, nothing new", catchUp, []Event{empty0, empty1}, "Answered up-to-date"},
		{"Gathering/Whole, read on", catchUp, []Event{whole0, part1}, "Gathering read on 1"},
		{"Gathering/Whole, read on once", catchUp, []Event{whole0, part1, more1}, "Answered"},
		{"Gathering/Whole, read on to the end", catchUp, []Event{whole0, part1, whole1}, "Answered up-to-date"},
		{"Gathering/Whole, [] that moves", catchUp, []Event{whole0, moved1}, "Gathering read on 1"},
		{"Gathering/Whole, leads nowhere", catchUp, []Event{empty0, stuck1}, "Unavailable"},
		{"Gathering/Large", catchUp, []Event{large0, whole1}, "Answered"},
		{"Gathering/Large, both", catchUp, []Event{large0, large1}, "Answered"},
		{"Gathering/Large, no reading on", catchUp, []Event{large0, part1}, "Answered"},
		{"Gathering/News", catchUp, []Event{news0}, "Gathering"},
		{"Gathering/Rotated", catchUp, []Event{rotated1}, "Refetch"},
		{"Gathering/Rotated, late", catchUp, []Event{whole0, part1, rotated1}, "Refetch"},
		{"Gathering/Failed", catchUp, []Event{failed0}, "Unavailable"},
		{"Gathering/Failed, other whole", catchUp, []Event{whole0, failed1}, "Unavailable"},
		{"Gathering/Failed, heard", catchUp, []Event{whole0, part1, failed1}, "Answered"},
		{"Gathering/Settled", catchUp, []Event{settled}, "Gathering"},
		{"Gathering/Gained", State{Sides: [Sides]Side{{Progress: opened(1, true)}}}, []Event{gained1}, "Gathering"},
		{"Gathering/Expired", catchUp, []Event{whole0, expired}, "Unavailable"},

		// Holding
		{"Holding/News, other waits", live, []Event{news0}, "Settling settle0"},
		{"Holding/News, alone", oneSided, []Event{news0}, "Answered up-to-date"},
		{"Holding/News, alone, unfinished", oneSided, []Event{unfinished}, "Answered"},
		{"Holding/News, other is read", behind, []Event{news0}, "Completing"},
		{"Holding/News, without rows", live, []Event{{Kind: News, Side: 0, Next: place(2), UpToDate: true}}, "Holding wait0"},
		{"Holding/Whole, nothing", behind, []Event{empty1}, "Settling settle0"},
		{"Holding/Whole, nothing, alone", oneBehind, []Event{empty0}, "Answered up-to-date"},
		{"Holding/Whole, nothing, other is read", bothBehind, []Event{empty0}, "Holding wait0"},
		{"Holding/Whole, nothing, last", bothBehind, []Event{empty0, empty1}, "Settling settle0"},
		{"Holding/Whole, rows", behind, []Event{whole1}, "Settling settle0"},
		{"Holding/Whole, read on", behind, []Event{moved1}, "Holding read1"},
		{"Holding/Whole, still behind", behind, []Event{moved1, {Kind: Whole, Side: 1, Next: place(3)}}, "Holding read1"},
		{"Holding/Whole, behind and further on", behind, []Event{moved1, {Kind: Whole, Side: 1, Next: place(3)}, {Kind: Whole, Side: 1, Next: place(4), Rows: true}}, "Completing read on 1"},
		{"Holding/Whole, moved and leads nowhere", behind, []Event{moved1, moved1}, "Answered"},
		{"Holding/Whole, rows, read on", behind, []Event{part1}, "Completing read on 1"},
		{"Holding/Whole, leads nowhere", behind, []Event{stuck1}, "Unavailable"},
		{"Holding/Large", behind, []Event{large1}, "Settling settle0"},
		{"Holding/Rotated", live, []Event{rotated0}, "Refetch"},
		{"Holding/Failed", live, []Event{failed0}, "Unavailable"},
		{"Holding/Failed, heard", behind, []Event{moved1, failed1}, "Answered"},
		{"Holding/Settled", live, []Event{settled}, "Holding"},
		{"Holding/Expired", live, []Event{expired}, "Answered up-to-date"},
		{"Holding/Expired, a side behind", behind, []Event{expired}, "Unavailable"},
		{"Holding/Expired, moved", behind, []Event{moved1, expired}, "Answered"},

		{"Holding/Gained", oneSided, []Event{gained1}, "Holding read1"},
		{"Holding/Gained, opened already", live, []Event{gained1}, "Holding"},
		{"Holding/Gained, then rows", oneSided, []Event{gained1, whole1}, "Settling settle0"},
		{"Holding/Gained, then nothing", oneSided, []Event{gained1, empty1}, "Holding wait1"},
		{"Holding/Gained, then large", oneSided, []Event{gained1, large1}, "Settling settle0"},
		{"Holding/Gained, large and answered", oneSided, []Event{gained1, large1, settled}, "Answered"},
		{"Holding/Gained, read on", oneSided, []Event{gained1, moved1}, "Holding read1"},
		{"Holding/Gained, rotated", oneSided, []Event{gained1, rotated1}, "Refetch"},
		{"Holding/Gained, failed", oneSided, []Event{gained1, failed1}, "Unavailable"},
		{"Holding/Gained, expired", oneSided, []Event{gained1, expired}, "Answered up-to-date"},
		{"Holding/Gained, news of the other", oneSided, []Event{gained1, news0}, "Completing"},

		// Completing
		{"Completing/Gained", oneBehind, []Event{{Kind: Whole, Side: 0, Next: place(2), Rows: true}, gained1}, "Completing"},
		{"Completing/Expired, joining", oneSided, []Event{gained1, news0, expired}, "Answered up-to-date"},
		{"Completing/Failed, joining", oneSided, []Event{gained1, news0, failed1}, "Answered up-to-date"},
		{"Completing/Whole", behind, []Event{news0, whole1}, "Answered up-to-date"},
		{"Completing/Whole, nothing", behind, []Event{news0, empty1}, "Answered up-to-date"},
		{"Completing/Whole, read on", behind, []Event{news0, part1}, "Completing read on 1"},
		{"Completing/Large", behind, []Event{news0, large1}, "Answered"},
		{"Completing/News", behind, []Event{part1, news0}, "Completing"},
		{"Completing/News, then whole", behind, []Event{part1, news0, whole1}, "Answered up-to-date"},
		{"Completing/Rotated", behind, []Event{news0, rotated1}, "Refetch"},
		{"Completing/Failed", behind, []Event{news0, failed1}, "Answered"},
		{"Completing/Failed, other waits", behind, []Event{part1, failed1}, "Settling settle0"},
		{"Completing/Settled", behind, []Event{news0, settled}, "Completing"},
		{"Completing/Expired", behind, []Event{news0, expired}, "Answered"},

		// Settling
		{"Settling/Whole", live, []Event{news0, whole1}, "Settling"},
		{"Settling/Large", live, []Event{news0, large1}, "Settling"},
		{"Settling/News", live, []Event{news0, news1}, "Answered up-to-date"},
		{"Settling/Rotated", live, []Event{news0, rotated1}, "Refetch"},
		{"Settling/Failed", live, []Event{news0, failed1}, "Answered up-to-date"},
		{"Settling/Failed, nothing in hand", behind, []Event{empty1, failed0}, "Answered up-to-date"},
		{"Settling/Settled", live, []Event{news0, settled}, "Answered up-to-date"},
		{"Settling/Settled, unfinished", live, []Event{unfinished, settled}, "Answered"},
		{"Settling/Gained", live, []Event{news0, gained1}, "Settling"},
		{"Settling/Expired", live, []Event{news0, expired}, "Answered up-to-date"},
	} {
		if _, got := path(c.from, c.events...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.cell, got, c.want)
		}
	}
	for kind := Whole; kind <= Expired; kind++ {
		if s, effects := Step(live, Event{Kind: kind}); s.Phase != Idle || effects != nil {
			t.Errorf("Idle/%d: %s", kind, show(s, effects))
		}
	}
	for _, events := range [][]Event{{news0, settled}, {rotated0}, {failed0}} {
		over, _ := path(live, events...)
		for kind := Begin; kind <= Expired; kind++ {
			if s, effects := Step(over, Event{Kind: kind, Side: 1, Next: place(9), Rows: true}); s != over || effects != nil {
				t.Errorf("over/%d: %s", kind, show(s, effects))
			}
		}
	}
}

func drawProgress(t *rapid.T, label string) shapes.Progress {
	p := shapes.Progress{Opened: rapid.Bool().Draw(t, label+" opened")}
	if p.Opened {
		p.UpToDate = rapid.Bool().Draw(t, label+" up to date")
		p.Position = rapid.SampledFrom([]shapes.Position{{}, {Handle: "h", Offset: shapes.SnapshotChunk(0)}, {Handle: "h", Offset: shapes.SnapshotEnd}, place(1)}).Draw(t, label+" place")
	}
	return p
}

// TestLaws plays random upstreams against the machine: sides that answer, fail,
// rotate and stay silent in any order.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{Live: rapid.Bool().Draw(t, "live")}
		s.Sides[0].Progress = drawProgress(t, "side 0")
		s.Sides[1].Progress = drawProgress(t, "side 1")
		if !s.Sides[0].Opened && !s.Sides[1].Opened {
			s.Sides[0].Opened = true
		}
		start := s
		out := [Sides]Activity{}
		readOn, reads := [Sides]int{}, [Sides]int{}
		early := false        // something but the hold's end may end it without rows
		last := [Sides]bool{} // whether the side's last answer was up to date
		for i := range last {
			last[i] = start.Sides[i].UpToDate
		}
		settling, anyRows, rotated := false, false, false
		gains := [Sides]bool{}
		tx := uint64(1)
		do := func(e Event) {
			var effects []Effect
			s, effects = Step(s, e)
			if s.Phase == Holding && s.UpToDate() && !start.UpToDate() && !s.any(Reading) {
				t.Fatalf("a client is held who was never told that it is up to date: %+v", s)
			}
			if s.Phase.Over() && len(effects) > 0 {
				t.Fatalf("effects after the end: %v", effects)
			}
			for _, f := range effects {
				if f.Kind == Settle {
					settling = true
					continue
				}
				side := s.Sides[f.Side]
				if !side.Opened || out[f.Side] != Resting {
					t.Fatalf("%v for a side that is not opened, or is asked already", f)
				}
				out[f.Side] = Reading
				if f.Kind == Wait {
					out[f.Side] = Waiting
					if side.Offset.Kind == shapes.BeforeAll || !side.UpToDate {
						t.Fatalf("a wait for side %d, which is behind", f.Side)
					}
				} else if readOn[f.Side]++; f.Kind == Read {
					readOn[f.Side] = 0
				}
				if f.Kind != Wait {
					reads[f.Side]++
				}
				if !s.Live && (reads[f.Side] > 2 || (f.Kind == Read) != (reads[f.Side] == 1)) {
					t.Fatalf("%v of side %d, its read number %d, for who does not wait", f.Kind, f.Side, reads[f.Side])
				}
				if patient := !s.Live || !s.inHand(); s.Live && patient != (f.Kind != ReadOn) || readOn[f.Side] > 1 {
					t.Fatalf("%v of side %d, read on %d times, with something in hand: %v", f.Kind, f.Side, readOn[f.Side], s.inHand())
				}
			}
		}
		do(Event{Kind: Begin})
		for step := 0; !s.Phase.Over(); step++ {
			if settling {
				settling = false
				if i := rapid.IntRange(0, 1).Draw(t, "ready"); out[i] == Waiting && rapid.Bool().Draw(t, "is ready") {
					out[i], last[i] = Resting, true
					do(Event{Kind: News, Side: i, Next: place(1000), UpToDate: true, Rows: true})
				}
				do(Event{Kind: Settled})
				continue
			}
			if i := rapid.IntRange(0, 9).Draw(t, "gains"); i < Sides && !start.Sides[i].Opened && !gains[i] {
				gains[i] = true
				do(Event{Kind: Gained, Side: i})
			}
			var sides []int
			for i, a := range out {
				if a != Resting {
					sides = append(sides, i)
				}
			}
			if len(sides) == 0 {
				t.Fatalf("nothing is out and the request has not ended: %+v", s)
			}
			i := rapid.SampledFrom(sides).Draw(t, "side")
			e := Event{Side: i, Next: s.Sides[i].Position}
			event := rapid.IntRange(0, 9).Draw(t, "event")
			if step >= 20 { // who says nothing is read on for as long as it is held
				event = 2
			}
			switch event {
			case 0:
				e.Kind, rotated = Rotated, true
			case 1:
				e.Kind, early = Failed, true
			case 2:
				e, early = Event{Kind: Expired}, true
			default:
				e.Kind = Whole
				e.UpToDate = rapid.Bool().Draw(t, "answer up to date")
				e.Rows = out[i] == Waiting || rapid.Bool().Draw(t, "rows")
				if e.Rows || e.Next.Offset.Kind == shapes.BeforeAll || rapid.Bool().Draw(t, "moves") {
					tx++
					e.Next = place(tx)
				}
				if out[i] == Waiting {
					e.Kind = News
				} else if e.Rows && rapid.Bool().Draw(t, "large") {
					e.Kind, e.UpToDate = Large, false
				}
				last[i], anyRows = e.UpToDate, anyRows || e.Rows
				early = early || !e.UpToDate && e.Next == s.Sides[i].Position
			}
			if e.Kind != Expired {
				out[i] = Resting
			}
			do(e)
		}

		moved := s.Sides[0].Position != start.Sides[0].Position || s.Sides[1].Position != start.Sides[1].Position
		switch s.Phase {
		case Answered:
			if rotated {
				t.Fatal("a rotation was answered over")
			}
			for i, side := range s.Sides {
				if side.Opened && s.UpToDate() && !last[i] {
					t.Fatalf("told up to date, and side %d is not", i)
				}
			}
			if s.Live && !anyRows && !early && (!s.UpToDate() || start.UpToDate()) {
				t.Fatal("a live answer without rows, and nothing has ended the hold")
			}
			if !s.UpToDate() && !moved {
				t.Fatal("neither up to date nor moved: the client would ask the same for ever")
			}
		case Refetch:
			if !rotated {
				t.Fatal("a reset without a rotation")
			}
		case Unavailable:
			if s.Live && anyRows && moved {
				t.Fatal("rows in hand were thrown away")
			}
		}
		for i := range s.Sides {
			if s.Sides[i].Opened != start.Sides[i].Opened && (start.Sides[i].Opened || !gains[i]) {
				t.Fatal("a side was closed, or opened without rows")
			}
			if s.Phase == Answered && s.Sides[i].Opened && !start.Sides[i].Opened && s.Sides[i].Offset.Kind == shapes.BeforeAll {
				t.Fatal("a side is opened and was never heard")
			}
		}
	})
}
