package oracle

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// settings are what a seed says about its world.
type settings struct {
	seed         uint64
	phases       int
	transactions int           // in a phase
	chunkBytes   int           // of the shape server
	pageBytes    int           // of the merge
	longPoll     time.Duration // of the shape server
	hold         time.Duration // of the gateway
	linger       time.Duration // of flights
	unfinished   bool          // live answers that a chunk cuts off are not completed
	separate     bool          // the shape server is asked over a socket
	instances    int           // gateways at a time
	takeovers    bool          // gateways are killed and replaced
	truncates    bool
	outages      bool     // the shape server fails for a moment now and then
	widest       int      // bytes of a payload
	bulk         int      // rows that one large transaction of a phase inserts; it changes and rekeys them too
	extraReaders int      // beyond one for each feed
	npm          []string // clients of npm that follow each feed too
	patience     time.Duration
}

// patience bounds every wait for what should come at once, but for settings that
// say less. It is shorter than defaultHold: a reader that is woken by the end of
// its hold alone is late.
const (
	patience    = 15 * time.Second
	defaultHold = 20 * time.Second
	// Where the upstream fails now and then, what should come at once comes after
	// the outages on the way: a reader that is a hundred chunks behind meets many.
	outagePatience = 60 * time.Second
)

// random is a source of the seed for one purpose.
func random(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// chance is true n times of a hundred.
func chance(r *rand.Rand, n int) bool { return r.IntN(100) < n }

func oneOf[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// settingsOf draws the world of a seed. Every tenth has gateways
// killed, and every tenth an upstream that fails.
func settingsOf(seed uint64) settings {
	r := random(seed, 1)
	s := settings{
		seed:         seed,
		phases:       2 + r.IntN(3),
		transactions: 4 + r.IntN(20),
		chunkBytes:   oneOf(r, 10_000, 10_000, 10_000, 1, 700, 3_000, 100_000, 10<<20),
		pageBytes:    oneOf(r, 256<<10, 256<<10, 1, 2_000, 20_000),
		longPoll:     oneOf(r, defaultHold, defaultHold, 700*time.Millisecond),
		hold:         oneOf(r, defaultHold, defaultHold, 250*time.Millisecond),
		linger:       oneOf(r, 0, 0, -1, 50*time.Millisecond),
		unfinished:   chance(r, 30),
		separate:     chance(r, 30),
		instances:    1 + r.IntN(2),
		takeovers:    seed%10 == 0,
		truncates:    chance(r, 20),
		outages:      seed%10 == 5,
		widest:       oneOf(r, 200, 4_000, 15_000, 60_000),
		extraReaders: r.IntN(5),
		patience:     patience,
	}
	if s.outages {
		s.patience = outagePatience
	}
	return s
}

func (s settings) String() string {
	return fmt.Sprintf("seed %d: %d phases of %d transactions, chunks of %d, pages of %d, payloads up to %d, long poll %s, hold %s, linger %s, unfinished %v, %d gateways, separate %v, takeovers %v, truncates %v, outages %v",
		s.seed, s.phases, s.transactions, s.chunkBytes, s.pageBytes, s.widest, s.longPoll, s.hold, s.linger, s.unfinished, s.instances, s.separate, s.takeovers, s.truncates, s.outages)
}
