package gateway

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// What a client costs from a flight's news to the write of its answer, what is done for it
// behind that, and what its next poll does until it waits again: authentication, query,
// place and seat. The connection is not in it. On one processor all are told before what is
// behind it begins, but for a few.
func BenchmarkCrowd(b *testing.B) {
	for _, many := range []int{1, 1000} {
		for _, part := range []string{"news", "behind", "poll"} {
			b.Run(part+"/"+strconv.Itoa(many), func(b *testing.B) { benchmarkCrowd(b, many, part) })
		}
	}
}

func benchmarkCrowd(b *testing.B, many int, part string) {
	c := newCrowd(b)
	var cpu int64
	start := func() { cpu -= used(b); b.StartTimer() }
	stop := func() { b.StopTimer(); cpu += used(b) }
	in := func(these string, do func()) {
		if part == these {
			do()
		}
	}
	var told atomic.Int64
	var answered sync.WaitGroup
	clients, writers, connections := make([]memory, many), make([]headers, many), make([]chan *http.Request, many)
	for i := range clients {
		writers[i].header = http.Header{}
		connections[i] = make(chan *http.Request)
		defer close(connections[i])
		go func() {
			for r := range connections[i] {
				c.handler.ServeHTTP(&writers[i], r)
				answered.Done()
			}
		}()
		clients[i].told = func() {
			if told.Add(1) == int64(many) {
				in("news", stop)
				in("behind", start)
			}
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		told.Store(0)
		answered.Add(many)
		requests := make([]*http.Request, many)
		for i := range requests {
			requests[i] = c.request(b, c.place, &clients[i])
			clients[i].Reset()
		}
		in("poll", start)
		for i := range clients {
			connections[i] <- requests[i]
		}
		c.until(many)
		in("poll", stop)
		in("news", start)
		c.tell(crowdRow)
		answered.Wait()
		in("behind", stop)
		c.moved(clients[many-1].answer(b).Header)
	}
	b.ReportMetric(float64(cpu)/float64(b.N)/float64(many), "cpu-ns/client")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(many), "ns/client")
}

// headers is a ResponseWriter to which nobody writes.
type headers struct {
	http.ResponseWriter
	header http.Header
}

func (h *headers) Header() http.Header { return h.header }

// used is the CPU time that this process has used.
func used(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
