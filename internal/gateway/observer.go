package gateway

import (
	"time"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

// Observer is told what becomes of requests, on their way: its methods must be quick.
// They are called by many at the same time.
type Observer interface {
	// Answered is told of each request when it has ended.
	Answered(Answered)
	// Holding is told 1 when a live request begins to wait, and -1 when it has been
	// waited for.
	Holding(change int)
	// Refetched is told of each 409, and why the client has to start over.
	Refetched(feeds.Reason)
	// Limited is told of each live request for which there was no slot.
	Limited()
}

// Answered is a request that has ended.
type Answered struct {
	// Route is the pattern of the route, or "unmatched". There are as many as there
	// are routes.
	Route string
	// Status is what was sent, or 499 if the client left before.
	Status int
	// Broken says that the answer was cut: its client knows it from a whole one.
	Broken bool
	// Bytes of the body.
	Bytes int
	// Took is how long it took, without the time that it was held.
	Took time.Duration
}

// nobody is the Observer where there is none.
type nobody struct{}

func (nobody) Answered(Answered)      {}
func (nobody) Holding(int)            {}
func (nobody) Refetched(feeds.Reason) {}
func (nobody) Limited()               {}

// holding notes that a live request begins to wait, and then that it waits no more.
// v may be nil.
func (g *gateway) holding(v *visit) (over func()) {
	began := time.Now()
	g.config.Observer.Holding(1)
	return func() {
		g.config.Observer.Holding(-1)
		if v != nil {
			v.held = time.Since(began)
		}
	}
}
