package feeds

import (
	"crypto/subtle"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Bounds on what is remembered of a Feed: floors of clients that began at other times,
// and places that were told last.
const (
	mostFloors = 8
	mostPlaces = 16
)

// common is what clients of a Feed have in common at a moment: those who were told the
// same news are at the same place, so it is written once and read once. It is safe for
// concurrent use.
type common struct {
	mu      sync.Mutex
	floors  []bounded // the newest last
	places  []told
	replace int // of places, the oldest
}

// bounded are the definitions of a feed with a floor.
type bounded struct {
	floor time.Time
	defs  [merge.Sides]*shapes.Definition
}

// told is a place as a client was told of it, with the keys of a codec.
type told struct {
	codec          *cursor.Codec
	at             cursor.Cursor
	handle, offset string
}

// definitions gives those for a floor, made by make if they are not remembered.
func (c *common) definitions(floor time.Time, make func() [merge.Sides]*shapes.Definition) [merge.Sides]*shapes.Definition {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.floors {
		if c.floors[i].floor.Equal(floor) {
			return c.floors[i].defs
		}
	}
	if len(c.floors) == mostFloors {
		c.floors = append(c.floors[:0], c.floors[1:]...)
	}
	defs := make()
	c.floors = append(c.floors, bounded{floor, defs})
	return defs
}

// encoded gives what a place was told as, or only its handle, which is that of another
// place: who goes on in the same shapes keeps it.
func (c *common) encoded(codec *cursor.Codec, at *cursor.Cursor) (handle, offset string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.places {
		p := c.latest(i)
		moved := p.at.Sides != at.Sides
		if p.codec != codec || moved && handle != "" || !cursor.SameHandle(&p.at, at) {
			continue
		}
		if handle = p.handle; !moved {
			return handle, p.offset
		}
	}
	return handle, ""
}

// decoded gives the place that was told as this. The handle holds a code that nobody
// may find out by trying, so how long it takes to compare says nothing of it.
func (c *common) decoded(codec *cursor.Codec, handle, offset string) (cursor.Cursor, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.places {
		p := c.latest(i)
		if p.codec == codec && p.offset == offset && subtle.ConstantTimeCompare([]byte(p.handle), []byte(handle)) == 1 {
			return p.at, true
		}
	}
	return cursor.Cursor{}, false
}

// latest is the place that so many were told after. Most who ask are there, or where the
// one before it was.
func (c *common) latest(before int) *told {
	all := len(c.places)
	return &c.places[(c.replace+all-1-before)%all]
}

// tell remembers what a place is told as.
func (c *common) tell(codec *cursor.Codec, at *cursor.Cursor, handle, offset string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.places) < mostPlaces {
		c.places = append(c.places, told{codec, *at, handle, offset})
		return
	}
	c.places[c.replace] = told{codec, *at, handle, offset}
	c.replace = (c.replace + 1) % mostPlaces
}
