package merge

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// Everybody who is told the same has the same bytes, in one write; who is told something
// else, because of another place, rows of the other side, or an older dialect, has their
// own, which are right.
func TestNewsIsFramedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(), newFake()
		a.news = []answer{{body: "[" + rows(3) + "," + end + "]", next: place(7)}}
		groups := [Sides]*flight.Group{flight.New(flight.Config{Source: a}), flight.New(flight.Config{Source: b})}
		m := New(Config{Upstreams: groups})
		def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("id", "x"))
		request := Request{Definitions: [Sides]*shapes.Definition{def, def}, From: liveAt, Hold: hold}
		behind := request
		behind.From[1].Offset = shapes.LogOffset(2, 0)
		var answers []*Answer
		for _, req := range []Request{request, request, behind, request} {
			h := m.Begin(t.Context(), req)
			h.Wait()
			got, err := h.Answer()
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, got)
		}
		answers[3].Recast(func(rows []byte) []byte { return bytes.ReplaceAll(rows, []byte(`payload`), []byte(`p`)) })
		var wrote [4]writes
		for i, got := range answers {
			got.Recast(func(rows []byte) []byte { return rows })
			length := got.Length()
			if _, err := got.WriteTo(&wrote[i]); err != nil || length != strconv.Itoa(len(wrote[i].all)) {
				t.Errorf("answer %d: length %s of %d, %v", i, length, len(wrote[i].all), err)
			}
			got.Close()
		}
		want := "[" + rows(3) + `,{"headers":{"control":"up-to-date","global_last_seen_lsn":"`
		for i, lsn := range []string{"1", "1", "2"} {
			if got := string(wrote[i].all); got != want+lsn+`"}}]` {
				t.Errorf("answer %d is %s", i, got)
			}
		}
		if wrote[0].n != 1 || wrote[1].n != 1 || wrote[0].first != wrote[1].first {
			t.Errorf("the same news in %d and %d writes, of memory at %p and %p", wrote[0].n, wrote[1].n, wrote[0].first, wrote[1].first)
		}
		if got := string(wrote[3].all); wrote[3].first == wrote[0].first || got != string(bytes.ReplaceAll(wrote[0].all, []byte(`payload`), []byte(`p`))) {
			t.Errorf("recast: %s", got)
		}
		for _, g := range groups {
			g.Close()
		}
	})
}

// writes are what was written to it, and how.
type writes struct {
	all   []byte
	n     int
	first *byte
}

func (w *writes) Write(p []byte) (int, error) {
	if w.n++; w.n == 1 {
		w.first = &p[0]
	}
	w.all = append(w.all, p...)
	return len(p), nil
}
