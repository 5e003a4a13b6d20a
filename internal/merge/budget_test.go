package merge

import (
	"io"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// What all answers hold is bounded: those that come while it is used up are
// streamed, from 8 KiB on, and whoever has an answer no more makes room.
func TestWhatIsHeldIsBounded(t *testing.T) {
	const many = 1500 // rows: about 200 KiB
	body := "[" + rows(many) + "," + end + "]"
	def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
	var reads []answer
	for range 20 {
		reads = append(reads, answer{body: body, next: place(5)})
	}
	group := flight.New(flight.Config{Source: newFake(reads...), ShareBytes: -1})
	defer group.Close()
	m := New(Config{Upstreams: [Sides]*flight.Group{group, group}, HeldBytes: 600 << 10})
	ask := func() *Answer {
		t.Helper()
		a, err := m.Next(t.Context(), Request{Definitions: [Sides]*shapes.Definition{def}, From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{})})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var held []*Answer
	for len(held) < 10 {
		held = append(held, ask())
	}
	whole := 0
	for _, a := range held {
		if a.Size() >= 0 {
			whole++
		}
	}
	if whole != 2 { // of 240 KiB each
		t.Errorf("%d of %d are whole", whole, len(held))
	}
	for _, a := range held {
		a.Close()
		a.Close()
	}
	if n := m.budget.held.Load(); n != 0 {
		t.Errorf("%d bytes are held when all are closed", n)
	}
	a := ask()
	defer a.Close()
	if a.Size() < 0 {
		t.Error("not whole, when there is room")
	}
}

// The memory of a body that others read, too, counts as held until the answer was written
// or closed, and is the same memory.
func TestSharedMemoryIsHeldAsLongAsTheAnswer(t *testing.T) {
	body := "[" + rows(100) + "," + end + "]"
	def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
	group := flight.New(flight.Config{Source: newFake(answer{body: body, next: place(5)}, answer{body: body, next: place(5)})})
	defer group.Close()
	m := New(Config{Upstreams: [Sides]*flight.Group{group, group}, HeldBytes: 1})
	for name, end := range map[string]func(a *Answer){
		"closed":  func(a *Answer) { a.Close() },
		"written": func(a *Answer) { _, _ = a.WriteTo(io.Discard) },
	} {
		a, err := m.Next(t.Context(), Request{Definitions: [Sides]*shapes.Definition{def}, From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{})})
		if err != nil {
			t.Fatal(err)
		}
		if n := group.Stats().SharedBytes; n != len(rows(100)) || a.Size() != len(body) {
			t.Errorf("%d bytes are held of an answer of %d, want %d", n, a.Size(), len(body))
		}
		end(a)
		if n := group.Stats().SharedBytes; n != 0 {
			t.Errorf("%s: %d bytes are held", name, n)
		}
		a.Close()
	}
}
