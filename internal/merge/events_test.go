package merge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// As events, each message is one, and the up-to-date says what the caller wants it to.
func TestEvents(t *testing.T) {
	broken := `{"key":"2",` + "\r\n" + `"value":{"payload":"x"},"headers":{"operation":"insert"}}`
	a, b := newFake(answer{body: "[" + row(1) + "," + broken + "," + end + "]", next: place(5)}), newFake(answer{body: "[" + end + "]", next: place(6)})
	req := Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}
	askBoth(t, a, b, req, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if got.Empty() {
			t.Error("said to be empty")
		}
		got.Recast(func(rows []byte) []byte { return bytes.ReplaceAll(rows, []byte("xxx"), []byte("yyy")) })
		var w strings.Builder
		rotated, err := got.WriteEvents(&w, "12345")
		want := "data: " + strings.ReplaceAll(row(1), "xxx", "yyy") + "\n\ndata: " + strings.NewReplacer("\r", " ", "\n", " ").Replace(broken) +
			"\n\n" + `data: {"headers":{"control":"up-to-date","global_last_seen_lsn":"12345"}}` + "\n\n"
		if rotated || err != nil || w.String() != want {
			t.Errorf("%v, %v:\n%s\nwant\n%s", rotated, err, w.String(), want)
		}
	})
	askBoth(t, newFake(answer{body: "[" + end + "]", next: place(5)}), newFake(answer{body: "[" + end + "]", next: place(6)}), req, func(t *testing.T, got *Answer, err error) {
		if err != nil || !got.Empty() {
			t.Errorf("nothing but an up-to-date is not empty: %v", err)
		}
	})
}

// A large body streams as events too, and one whose shape is rotated in the middle
// has no up-to-date.
func TestEventsOfALargeBody(t *testing.T) {
	req := Request{From: bothAt(shapes.Progress{Opened: true}, shapes.Progress{Opened: true})}
	a, b := newFake(answer{body: "[" + rows(pageLarger) + "]", next: place0(0)}), newFake(answer{body: "[" + end + "]", next: place(6)})
	askBoth(t, a, b, req, func(t *testing.T, got *Answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		var w strings.Builder
		if rotated, err := got.WriteEvents(&w, "1"); rotated || err != nil || strings.Count(w.String(), "data: ") != pageLarger || strings.Contains(w.String(), "up-to-date") {
			t.Errorf("%v, %v: %d events", rotated, err, strings.Count(w.String(), "data: "))
		}
	})
}
