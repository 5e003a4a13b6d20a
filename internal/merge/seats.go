package merge

import (
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// seat takes the seats of the reads that a request begins with, at once: an environment
// that may not have all of them is refused the feed, and pays for none of it.
func (r *Held) seat(effects []Effect) {
	var sides []int
	for _, effect := range effects {
		if effect.Kind == Read {
			sides = append(sides, effect.Side)
		}
	}
	upstreams := &r.merger.config.Upstreams
	if len(sides) < 2 || upstreams[0] != upstreams[1] {
		return
	}
	of, at := make([]*shapes.Definition, len(sides)), make([]shapes.Position, len(sides))
	for i, side := range sides {
		of[i], at[i] = r.req.Definitions[side], r.state.Sides[side].Position
	}
	r.reads = newReads()
	for i, seat := range upstreams[0].Seats(r.ctx, of, at) {
		r.reads.seats[sides[i]] = &seat
	}
}

func newReads() *reads { return &reads{results: make(chan *result, Sides)} }

// seated gives the seat that was taken for a side, once.
func (r *reads) seated(side int) *flight.Seat {
	seat := r.seats[side]
	r.seats[side] = nil
	return seat
}
