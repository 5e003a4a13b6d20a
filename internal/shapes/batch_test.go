package shapes

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// What is replayed comes to the same batch again, whatever it was made of.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := []byte("[")
		for i := range rapid.IntRange(0, 6).Draw(t, "messages") {
			if i > 0 {
				body = append(body, ',')
			}
			n := rapid.IntRange(1, 1000).Draw(t, "number")
			m := rapid.SampledFrom([]string{
				`{"key":"%d","headers":{"operation":"insert"}}`,
				`{"headers":{"operation":"update","lsn":"%d","op_position":3,"last":true}}`,
				`{"headers":{"control":"snapshot-end","xmin":"%d"}}`,
				`{"headers":{"control":"up-to-date","global_last_seen_lsn":"%d"}}`,
			}).Draw(t, "message")
			body = fmt.Appendf(body, m, n)
		}
		var want, got Batch
		if whole, err := want.Fill(NewBytesScanner(append(body, ']')), 1<<20); err != nil || !whole {
			t.Fatal(whole, err)
		}
		if whole, err := got.Fill(want.Replay(), 1<<20); err != nil || !whole || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\ncame to %+v\nand then %+v, %v", body, want, got, err)
		}
	})
}
