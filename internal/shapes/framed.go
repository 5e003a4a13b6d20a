package shapes

import (
	"bytes"
	"strconv"
	"sync"
)

// Framed is the body of an answer that brings one piece of news and nothing else, made
// once for all who are told it. It is safe for concurrent use; what it gives is shared
// and never written to.
type Framed struct {
	mu     sync.Mutex
	body   []byte
	length string
	tail   int // where in body it begins
}

// framedBytes is how large rows may be that are copied to be framed. Others are shared
// as they are, and written in more than one piece.
const framedBytes = 256 << 10

// Body is the array of rows and tail, each messages with commas between them and not
// empty, and its length in decimal. It is nil if it is not to be shared: because there
// are too many rows, or another tail came first.
func (f *Framed) Body(rows, tail []byte) (body []byte, length string) {
	if len(rows) > framedBytes {
		return nil, ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.body == nil {
		b := make([]byte, 0, len("[,]")+len(rows)+len(tail))
		b = append(append(append(b, '['), rows...), ',')
		f.tail = len(b)
		f.body = append(append(b, tail...), ']')
		f.length = strconv.Itoa(len(f.body))
		return f.body, f.length
	}
	if !bytes.Equal(f.body[f.tail:len(f.body)-1], tail) {
		return nil, ""
	}
	return f.body, f.length
}
