package flight

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Rows stay what they are, and have the room that was asked for, wherever they are moved and
// whatever was kept before: no two of those in use have the same memory.
func TestBuffersAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b buffers
		var inUse [][]byte
		var want [][]byte
		fill := func(n int) []byte {
			return bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "filling"))}, n)
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				rows := fill(rapid.IntRange(0, shareStep+100).Draw(t, "bytes"))
				inUse, want = append(inUse, rows), append(want, bytes.Clone(rows))
			},
			"move": func(t *rapid.T) {
				if len(inUse) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(inUse)-1).Draw(t, "which")
				bytes := rapid.OneOf(rapid.Just(2*shareStep), rapid.Just(4*shareStep), rapid.IntRange(1, 200*shareStep)).Draw(t, "to")
				inUse[i] = b.moved(inUse[i], bytes)
				if _, size, ok := class(bytes); ok && (size < bytes || cap(inUse[i]) < size) {
					t.Fatalf("room for %d where %d were asked for", cap(inUse[i]), bytes)
				}
				more := fill(min(cap(inUse[i])-len(inUse[i]), rapid.IntRange(0, shareStep).Draw(t, "more")))
				inUse[i], want[i] = append(inUse[i], more...), append(want[i], more...)
			},
			"keep": func(t *rapid.T) {
				if len(inUse) == 0 {
					t.Skip()
				}
				b.keep(inUse[0])
				inUse, want = inUse[1:], want[1:]
			},
			"": func(t *rapid.T) {
				for i := range inUse {
					if !bytes.Equal(inUse[i], want[i]) {
						t.Fatal("rows changed")
					}
				}
			},
		})
	})
}

// largeOf is a body that is too large to be held, of rows that are told by a letter.
func largeOf(letter string) string {
	one := fmt.Sprintf(`{"key":%q,"headers":{"operation":"insert"}}`, strings.Repeat(letter, 1000))
	return "[" + strings.Repeat(one+",", 400) + one + "]"
}

// What the reader of a large body was given stays what it is until it asks for more,
// whoever reads another one meanwhile; and the memory is used again after that.
func TestALargeBodyHasItsMemory(t *testing.T) {
	// A pool forgets at a collection, and has a place for each processor.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	inBubble(t, func(t *testing.T, s *script, g *Group) {
		var p pages
		begin := func(tx uint64, letter string) *reader {
			r := reads(t, g, at(tx))
			s.one(t).reply <- p.of(tx+1, largeOf(letter))
			if r.has(); r.page == nil || r.page.Whole != nil {
				t.Fatalf("%+v, %v", r.page, r.err)
			}
			return r
		}
		next := func(r *reader, letter string) []byte {
			m, err := r.page.Messages.Next(64 << 10)
			if err != nil || !bytes.Contains(m.Raw, []byte(letter+letter)) {
				t.Fatalf("%.80q, %v", m.Raw, err)
			}
			return m.Raw
		}
		first := begin(1, "a")
		given := next(first, "a")
		was := bytes.Clone(given)
		second := begin(2, "b")
		next(second, "b")
		if !bytes.Equal(given, was) {
			t.Error("what one reader was given became another's")
		}
		for r, letter := range map[*reader]string{first: "a", second: "b"} {
			var rest shapes.Batch
			if whole, err := rest.Fill(r.page.Messages, 1<<30); !whole || err != nil {
				t.Fatal(whole, err)
			}
			other := strings.Trim("ab", letter)
			if bytes.Contains(rest.Rows, []byte(other+other)) {
				t.Errorf("the body of %s has rows of %s", letter, other)
			}
			if err := r.page.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for tx := uint64(10); ; tx++ { // under the race detector a pool drops one of four
			r := begin(tx, "c")
			r.body(t)
			again := g.buffers.moved(nil, 16*shareStep)
			if bytes.Contains(again[:cap(again)], []byte("cc")) {
				break
			}
			if tx == 40 {
				t.Fatal("the memory of a body that was read is not used again")
			}
		}
	})
}

// Of a body that is streamed nothing is held that its reader has had: a slow reader would
// pin it for as long as the rest takes.
func TestWhatWasReadOfALargeBodyIsLetGo(t *testing.T) {
	gone := make(chan struct{})
	r := func() *resumed {
		rows := make([]byte, 1<<20)
		runtime.AddCleanup(&rows[0], func(struct{}) { close(gone) }, struct{}{})
		held := shapes.Batch{Rows: append(rows[:0], row...), Count: 1}
		return &resumed{held: held.Replay(), rest: shapes.NewBytesScanner([]byte(someRows)), release: func() { _ = held.Rows }}
	}()
	for range 2 {
		if m, err := r.Next(1); err != nil || string(m.Raw) != row {
			t.Fatalf("%q, %v", m.Raw, err)
		}
	}
	for range 100 {
		runtime.GC()
		select {
		case <-gone:
			runtime.KeepAlive(r)
			return
		default:
			runtime.Gosched()
		}
	}
	t.Error("what was read is still held")
	runtime.KeepAlive(r)
}
