package merge

import (
	"bytes"
	"io"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// WriteEvents is WriteTo as a stream of server-sent events, one for each message.
// lsn is what the up-to-date gives as global_last_seen_lsn: clients of Electric take
// it for their place.
//
// If a shape is rotated in the middle, what came stands there without an up-to-date,
// and rotated says so.
func (a *Answer) WriteEvents(w io.Writer, lsn string) (rotated bool, err error) {
	body := &bodyWriter{w: w, events: true, wrote: time.Now()}
	rotated, err = a.write(body, lsn)
	_, err = body.result(err)
	return rotated, err
}

// appendEvents writes each message of rows, framed as in a shapes.Batch, as an event.
func appendEvents(b, rows []byte) []byte {
	b = append(b, make([]byte, 0, len(rows)+len(rows)/4+64)...)
	for m := range shapes.Split(rows) {
		b = append(b, "data: "...)
		// A line break can only stand between the tokens of a message, where a
		// space is as good.
		for {
			i := bytes.IndexAny(m, "\r\n")
			if i < 0 {
				break
			}
			b = append(append(b, m[:i]...), ' ')
			m = m[i+1:]
		}
		b = append(append(b, m...), "\n\n"...)
	}
	return b
}
