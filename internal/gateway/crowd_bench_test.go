package gateway

import (
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// What a client costs from a flight's news to the write of its answer, and what its next
// poll does until it waits again: authentication, query, place and seat. The connection
// is not in it.
func BenchmarkCrowd(b *testing.B) {
	for _, many := range []int{1, 1000} {
		b.Run("news/"+strconv.Itoa(many), func(b *testing.B) { benchmarkCrowd(b, many, false) })
		b.Run("poll/"+strconv.Itoa(many), func(b *testing.B) { benchmarkCrowd(b, many, true) })
	}
}

func benchmarkCrowd(b *testing.B, many int, poll bool) {
	c := newCrowd(b)
	clients := make([]memory, many)
	for i := range clients {
		clients[i].header = http.Header{}
	}
	var cpu int64
	start := func() { cpu -= used(b); b.StartTimer() }
	stop := func() { b.StopTimer(); cpu += used(b) }
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		var answered sync.WaitGroup
		requests := make([]*http.Request, many)
		for i := range requests {
			requests[i] = c.request(b, c.place)
			clients[i].reset()
		}
		if poll {
			start()
		}
		for i := range clients {
			answered.Go(func() { c.handler.ServeHTTP(&clients[i], requests[i]) })
		}
		c.until(many)
		if poll {
			stop()
		} else {
			start()
		}
		c.tell(crowdRow)
		answered.Wait()
		if !poll {
			stop()
		}
		if got := clients[many-1]; string(got.body) != crowdBody {
			b.Fatalf("%d %s", got.status, got.body)
		}
		c.moved(clients[0].header)
	}
	b.ReportMetric(float64(cpu)/float64(b.N)/float64(many), "cpu-ns/client")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(many), "ns/client")
}

// used is the CPU time that this process has used.
func used(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
