package oracle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestSeed plays the seed in ORACLE_SEED, or a few at random and some that are
// always the same.
func TestSeed(t *testing.T) {
	seeds := []uint64{1, 4, 10} // 4 truncates, 10 kills gateways
	for range 2 {
		seeds = append(seeds, rand.Uint64N(1e9))
	}
	if text := os.Getenv("ORACLE_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("ORACLE_SEED: %v", err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := settingsOf(seed)
			t.Log(s)
			if err := play(t, s, faults{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKilledProcesses plays a seed whose gateways are processes that are killed.
func TestKilledProcesses(t *testing.T) {
	s := settingsOf(20)
	t.Log(s)
	if err := play(t, s, faults{binary: buildProgram(t)}); err != nil {
		t.Error(err)
	}
}

// TestLargeTransactions plays a seed with transactions of more than a thousand
// changes, of values that Postgres keeps out of the row, which do not fit into one
// chunk of the shape server's log.
func TestLargeTransactions(t *testing.T) {
	s := settingsOf(31)
	s.phases, s.transactions, s.bulk, s.widest, s.chunkBytes, s.patience = 2, 4, 500, 20_000, 1<<20, 2*time.Minute
	t.Log(s)
	if err := play(t, s, faults{}); err != nil {
		t.Error(err)
	}
}
