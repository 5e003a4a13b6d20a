package flight

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// giver is a Source whose held calls are answered by the benchmark.
type giver struct{ news chan *shapes.News }

func (g giver) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return &shapes.Page{Messages: shapes.NewBytesScanner([]byte(someRows)), Close: func() error { return nil }}, nil
}

func (g giver) Wait(ctx context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.News, error) {
	select {
	case news := <-g.news:
		return news, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// What it takes to have a crowd hear of one piece of news, from the upstream's answer to
// everybody's next wait.
func BenchmarkNewsToWaiters(b *testing.B) {
	for _, many := range []int{1, 100, 10_000} {
		b.Run(strconv.Itoa(many), func(b *testing.B) {
			source := giver{make(chan *shapes.News)}
			g := New(Config{Source: source})
			defer g.Close()
			var joined, heard sync.WaitGroup
			stop := make(chan struct{})
			joined.Add(many)
			for range many {
				go func() {
					for tx := uint64(1); ; tx++ {
						ticket := g.Join(def, at(tx))
						joined.Done()
						select {
						case <-ticket.Landed():
						case <-stop:
							ticket.Leave()
							heard.Done()
							return
						}
						_, _ = ticket.Result()
						ticket.Leave()
						heard.Done()
					}
				}()
			}
			b.ReportAllocs()
			tx := uint64(2)
			joined.Wait()
			for b.Loop() {
				heard.Add(many)
				joined.Add(many)
				source.news <- &shapes.News{Next: at(tx), Batch: shapes.Batch{Rows: []byte(row), Count: 1, UpToDate: true}}
				heard.Wait()
				joined.Wait()
				tx++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(many), "ns/waiter")
			heard.Add(many)
			close(stop)
			heard.Wait()
		})
	}
}

func BenchmarkRingHit(b *testing.B) {
	for _, pieces := range []int{1, 10} {
		b.Run(strconv.Itoa(pieces), func(b *testing.B) {
			g := remembering(pieces)
			defer g.Close()
			b.ReportAllocs()
			for b.Loop() {
				ticket := g.Join(def, at(1))
				if news, _ := ticket.Result(); news.Count != pieces {
					b.Fatal(news)
				}
				ticket.Leave()
			}
		})
	}
}

// remembering is a Group that remembers pieces of news.
func remembering(pieces int) *Group {
	source := giver{make(chan *shapes.News, 1)}
	g := New(Config{Source: source})
	for n := range pieces {
		ticket := g.Join(def, at(uint64(n+1)))
		source.news <- news(uint64(n+2), true)
		<-ticket.Landed()
		ticket.Leave()
	}
	return g
}

func BenchmarkJoinLeave(b *testing.B) {
	g := New(Config{Source: giver{}})
	defer g.Close()
	for _, warm := range []bool{true, false} { // false: each is the last to leave, and the first to come back
		b.Run(map[bool]string{true: "InACrowd", false: "Alone"}[warm], func(b *testing.B) {
			if warm {
				defer g.Join(def, at(1)).Leave()
			}
			b.ReportAllocs()
			for b.Loop() {
				g.Join(def, at(1)).Leave()
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	g := New(Config{Source: giver{}})
	defer g.Close()
	b.ReportAllocs()
	for b.Loop() {
		page, err := g.Read(b.Context(), def, start)
		if err != nil {
			b.Fatal(err)
		}
		_ = page.Close()
	}
}

// A waiter costs its ticket and nothing more, and what is remembered costs as little.
func TestWhatAWaiterAllocates(t *testing.T) {
	g := New(Config{Source: giver{}})
	defer g.Close()
	defer g.Join(def, at(1)).Leave()
	if n := testing.AllocsPerRun(1000, func() { g.Join(def, at(1)).Leave() }); n > 1 {
		t.Errorf("%v allocations to join and leave", n)
	}
	r := remembering(10)
	defer r.Close()
	if n := testing.AllocsPerRun(1000, func() { r.Join(def, at(1)).Leave() }); n > 2 {
		t.Errorf("%v allocations to hear what is remembered", n)
	}
}
