package runid

import (
	"math/rand/v2"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/ksuid"
	"pgregory.net/rapid"
)

var cuidForm = regexp.MustCompile(`^c[0-9a-z]{24}$`)

func TestMintIsAtHome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(-1, 1<<43).Draw(t, "ms"))
		m := NewMinter(MinterConfig{
			Now:    func() time.Time { return at },
			Source: rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0),
		})
		for _, table := range Tables() {
			id := m.Mint(table)
			if Home(id) != table {
				t.Fatalf("%q was made for %v and is at home in %v", id, table, Home(id))
			}
			if table == Legacy && !cuidForm.MatchString(id) {
				t.Fatalf("%q is not a cuid", id)
			}
			if _, err := ParseRun(FormatRun(id)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Ids sort by the time they were made, within the grain of their format.
func TestMintCarriesTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	m := NewMinter(MinterConfig{Now: func() time.Time { return at }})
	for _, table := range Tables() {
		earlier := m.Mint(table)
		at = at.Add(time.Second)
		if later := m.Mint(table); later <= earlier {
			t.Errorf("%v: %s was made after %s", table, later, earlier)
		}
	}
	id, err := ksuid.Parse(m.Mint(V2))
	if err != nil || !id.Time().Equal(at) {
		t.Errorf("the KSUID says %v, want %v (%v)", id.Time(), at, err)
	}
	// 2026-11-23T08:00:00Z is 1795420800000 ms, in base36 mwsz6rk0.
	at = time.UnixMilli(1795420800000)
	if got := m.Mint(Legacy)[1:9]; got != "mwsz6rk0" {
		t.Errorf("the cuid says %s", got)
	}
}

func TestMintRepeatsFromASeed(t *testing.T) {
	ids := func() (all [6]string) {
		m := NewMinter(MinterConfig{
			Now:    func() time.Time { return time.UnixMilli(1795420800000) },
			Source: rand.NewPCG(1, 2),
		})
		for i := range all {
			all[i] = m.Mint(Tables()[i%2])
		}
		return all
	}
	if a, b := ids(), ids(); a != b {
		t.Errorf("%v and %v", a, b)
	}
}

func TestMintFromManyGoroutines(t *testing.T) {
	const each, makers = 500, 8
	m := NewMinter(MinterConfig{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range makers {
		wg.Go(func() {
			for i := range each {
				id := m.Mint(Tables()[i%2])
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != each*makers {
		t.Errorf("%d distinct ids of %d", len(seen), each*makers)
	}
}
