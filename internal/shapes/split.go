package shapes

import (
	"fmt"
	"iter"
)

// Split gives the messages of rows, framed as in a Batch, one by one; they point
// into rows. It panics if rows was not framed by this package.
func Split(rows []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		each(rows, func(from, to int, _ []extent) bool { return yield(rows[from:to:to]) })
	}
}

// each finds the messages of rows, and what is nested in each, until found gives
// false.
func each(rows []byte, found func(from, to int, nested []extent) bool) {
	for at := 0; at < len(rows); at++ { // over the comma
		f := framer{depth: 1, kinds: 1}
		n, done, err := f.feed(rows[at:], 1)
		if err != nil || !done {
			panic(fmt.Sprintf("shapes: %d bytes of rows are no messages from byte %d on (%v)", len(rows), at, err))
		}
		if !found(at, at+n, f.nested[:f.met]) {
			return
		}
		at += n
	}
}
