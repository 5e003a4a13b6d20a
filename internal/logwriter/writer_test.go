package logwriter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a file each write to which waits until it is let through.
type gate struct {
	through chan struct{}
	mu      sync.Mutex
	writes  []string
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.through
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes = append(g.writes, string(p))
	return len(p), nil
}

// open lets so many through.
func (g *gate) open(many int) {
	for range many {
		g.through <- struct{}{}
	}
}

func (g *gate) let() {
	g.open(1)
	synctest.Wait()
}

// Many log at once: every line is there, whole, and those of one goroutine in their order.
func TestNothingIsLost(t *testing.T) {
	var out bytes.Buffer
	w := New(&out)
	var all sync.WaitGroup
	const many, lines = 20, 500
	for i := range many {
		all.Go(func() {
			log := zerolog.New(w).With().Int("i", i).Logger()
			for n := range lines {
				log.Info().Int("n", n).Send()
			}
		})
	}
	all.Wait()
	_ = w.Close()
	var next [many]int
	for line := range strings.Lines(out.String()) {
		var i, n int
		if _, err := fmt.Sscanf(line, `{"level":"info","i":%d,"n":%d}`, &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q: %v, want line %d", line, err, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != lines {
			t.Errorf("%d lines of %d", n, i)
		}
	}
}

// Who logs does not wait for the file, and what came meanwhile is one write. Who logs an
// error waits for it. Close writes what waits.
func TestWritesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{through: make(chan struct{})}
		w := New(out)
		_, _ = w.WriteLevel(zerolog.InfoLevel, []byte("a\n"))
		synctest.Wait()
		_, _ = w.WriteLevel(zerolog.WarnLevel, []byte("b\n"))
		_, _ = w.Write([]byte("c\n"))
		grave := false
		go func() {
			_, _ = w.WriteLevel(zerolog.ErrorLevel, []byte("d\n"))
			grave = true
		}()
		synctest.Wait()
		if out.let(); grave {
			t.Error("an error was not waited for")
		}
		if out.let(); !grave {
			t.Error("an error was waited for longer than until it was written")
		}
		_, _ = w.Write([]byte("e\n"))
		go out.open(1)
		_ = w.Close()
		go out.open(1)
		_, _ = w.Write([]byte("f\n"))
		synctest.Wait()
		if got, want := fmt.Sprintf("%q", out.writes), `["a\n" "b\nc\nd\n" "e\n" "f\n"]`; got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
	})
}

// counted remembers what was written, and when.
type counted struct {
	began time.Time
	wrote []string
}

func (c *counted) Write(p []byte) (int, error) {
	c.wrote = append(c.wrote, fmt.Sprintf("%v: %d", time.Since(c.began), len(p)))
	return len(p), nil
}

// The first line is written at once, and those after it when Linger has passed, unless one
// is a warning or they are many. After a while in which there was none it is as at first.
func TestLinesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &counted{began: time.Now()}
		w := New(out)
		info := func(bytes int) {
			_, _ = w.WriteLevel(zerolog.InfoLevel, make([]byte, bytes))
			synctest.Wait()
		}
		info(1)
		info(2)
		time.Sleep(Linger - time.Nanosecond)
		info(3)
		time.Sleep(time.Nanosecond) // which ends the lingering
		synctest.Wait()
		info(4)
		_, _ = w.WriteLevel(zerolog.WarnLevel, []byte("w"))
		synctest.Wait()
		info(enough - 1)
		info(1)
		time.Sleep(time.Minute)
		info(6)
		info(7)
		closing := time.Now()
		_ = w.Close()
		if took := time.Since(closing); took > 0 {
			t.Errorf("Close took %v", took)
		}
		want := []string{"0s: 1", "50ms: 5", "50ms: 5", fmt.Sprint("50ms: ", enough), "1m0.05s: 6", "1m0.05s: 7"}
		if !slices.Equal(out.wrote, want) {
			t.Errorf("wrote %q, want %q", out.wrote, want)
		}
	})
}

// A file that takes nothing holds up those who log, once a bound is reached, and loses
// nothing.
func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{through: make(chan struct{})}
		w := New(out)
		_, _ = w.Write([]byte("first"))
		synctest.Wait()
		_, _ = w.Write(make([]byte, MaxWaiting-1))
		_, _ = w.Write([]byte("x"))
		took := false
		go func() {
			_, _ = w.Write([]byte("y"))
			took = true
		}()
		if synctest.Wait(); took {
			t.Error("took more than may wait")
		}
		if out.let(); !took {
			t.Error("took nothing when there was room")
		}
		go out.open(2)
		_ = w.Close()
		synctest.Wait()
		if n := len(strings.Join(out.writes, "")); n != len("first")+MaxWaiting+len("y") {
			t.Errorf("wrote %d bytes", n)
		}
	})
}
