package simulate

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// action is one change to a run, or to the batch of a story.
type action uint8

const (
	create action = iota
	lock
	start
	progress
	pushTag
	retry
	requeue
	// These end a run.
	succeed
	fail
	cancel
	expire
	// These are on the batch.
	openBatch
	closeBatch
)

// final says that a run is over after it.
func (a action) final() bool { return a >= succeed && a <= expire }

// beat is an action and its time, from the beginning of the story.
type beat struct {
	at   time.Duration
	run  int // which of the story's roles; -1 for the batch
	do   action
	done float64 // for progress: how much of the run's work, from 0 to 1
}

// role is a run of a story.
type role struct {
	table  runid.Table
	parent int // which of the roles; -1 for none
	task   string
	user   int
	plan   string
	tags   []string
	ttl    string // "" for none
}

// story is a few runs that belong together, and all that happens to them. Its
// beats are in order.
type story struct {
	batch bool // there is one, and all runs are in it
	roles []role
	beats []beat
}

// end is when the last thing happens.
func (s *story) end() time.Duration { return s.beats[len(s.beats)-1].at }

// write makes up a story. It is a function of its source.
func write(r *rand.Rand) *story {
	s := &story{}
	switch n := r.IntN(10); {
	case n < 5:
		s.solo(r)
	case n < 8:
		s.family(r)
	default:
		s.batchOfRuns(r)
	}
	slices.SortStableFunc(s.beats, func(a, b beat) int { return int(a.at - b.at) })
	return s
}

// solo is a run by itself.
func (s *story) solo(r *rand.Rand) {
	s.act(s.cast(r, either(r), -1), 0, plot(r))
}

// family is a parent that starts children once it runs, the first of them in
// the other table, and ends when they have.
func (s *story) family(r *rand.Rand) {
	home := either(r)
	parent := s.cast(r, home, -1)
	begun := millis(r, 300, 900)
	s.act(parent, 0, []beat{{at: 0, do: create}, {at: begun / 2, do: lock}, {at: begun, do: start}})
	over := begun
	children := 1 + r.IntN(3)
	for i := range children {
		table := other(home)
		if i > 0 {
			table = either(r)
		}
		child := s.cast(r, table, parent)
		end := s.act(child, begun+millis(r, 100, 500), plot(r))
		over = max(over, end)
		s.act(parent, end+50*time.Millisecond, []beat{{do: progress, done: float64(i+1) / float64(children+1)}})
	}
	s.act(parent, over+millis(r, 200, 500), []beat{{do: succeed}})
}

// batchOfRuns is a batch with runs in both tables, triggered at once.
func (s *story) batchOfRuns(r *rand.Rand) {
	s.batch = true
	s.act(-1, 0, []beat{{do: openBatch}})
	over := time.Duration(0)
	first := either(r)
	for i := range 3 + r.IntN(4) {
		table := first
		if i%2 == 1 {
			table = other(first)
		}
		// All of a batch's runs are of one trigger call: after the batch, together.
		over = max(over, s.act(s.cast(r, table, -1), time.Millisecond, plot(r)))
	}
	s.act(-1, over+millis(r, 100, 300), []beat{{do: closeBatch}})
}

// act gives beats to a role, from a time on, and says when the last of them is.
func (s *story) act(run int, from time.Duration, beats []beat) time.Duration {
	last := from
	for _, b := range beats {
		b.at, b.run = b.at+from, run
		last = b.at
		s.beats = append(s.beats, b)
		if b.do == expire {
			s.roles[run].ttl = "3s"
		}
	}
	return last
}

// either is one table or the other.
func either(r *rand.Rand) runid.Table { return runid.Tables()[r.IntN(2)] }

func other(t runid.Table) runid.Table {
	if t == runid.Legacy {
		return runid.V2
	}
	return runid.Legacy
}

// millis is a time between two numbers of milliseconds.
func millis(r *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+r.IntN(to-from+1)) * time.Millisecond
}
