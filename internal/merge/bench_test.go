package merge

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// large is an upstream whose shapes are large.
type large struct {
	shapes.Source
	body string
}

func (l large) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return &shapes.Page{Next: place0(0), Schema: schema, Messages: shapes.NewScanner(strings.NewReader(l.body)), Close: func() error { return nil }}, nil
}

// BenchmarkLargeAnswer streams 10 MB of each side through everything between the
// upstream's body and the client's.
func BenchmarkLargeAnswer(b *testing.B) {
	wide := `{"key":"\"public\".\"TaskRun\"/\"run\"","value":{"id":"run","status":"EXECUTING","payload":"` + strings.Repeat(`{\"order\":12345}`, 70) + `"},"headers":{"operation":"insert","relation":["public","TaskRun"]}}`
	source := large{body: "[" + strings.Repeat(wide+",", 10<<20/len(wide)) + wide + "]"}
	group := flight.New(flight.Config{Source: steady.New(steady.Config{Source: source})})
	defer group.Close()
	m := New(Config{Upstreams: [Sides]*flight.Group{group, group}})
	def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
	req := Request{Definitions: [Sides]*shapes.Definition{def, def}, From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}
	b.SetBytes(int64(2 * len(source.body)))
	b.ReportAllocs()
	for b.Loop() {
		a, err := m.Next(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
		a.Close()
	}
}
