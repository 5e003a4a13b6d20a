package shapes

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

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

// A batch that is filled in steps has no more memory than each lets it hold, and its rows
// stay where they are when none are added.
func TestFillTakesWhatItMay(t *testing.T) {
	row := `{"key":"` + strings.Repeat("k", 1000) + `","headers":{"operation":"insert"}}`
	rows := NewScanner(strings.NewReader("[" + strings.Repeat(row+",", 300) + row + "]"))
	var b Batch
	for limit := 16 << 10; limit <= 256<<10; limit *= 2 {
		if whole, err := b.Fill(rows, limit); whole || err != nil {
			t.Fatal(whole, err)
		}
		if most := limit + len(row) + len(","); cap(b.Rows) > most {
			t.Errorf("up to %d bytes: %d, in memory of %d", limit, len(b.Rows), cap(b.Rows))
		}
	}
	b.Rows = slices.Clip(b.Rows)
	at := unsafe.SliceData(b.Rows)
	upToDate := []byte(`[{"headers":{"control":"up-to-date","global_last_seen_lsn":"1"}}]`)
	if whole, err := b.Fill(NewBytesScanner(upToDate), 1<<20); !whole || err != nil || !b.UpToDate {
		t.Fatal(whole, err)
	}
	if unsafe.SliceData(b.Rows) != at {
		t.Error("moved for nothing")
	}
}
