package embedded

import (
	"bufio"
	"io"
	"net/http"
	"strconv"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

func (a *answer) snapshotChunk(rd reading) (ok bool) {
	body, size, ok := a.shape.spool.open(rd.chunk)
	if !ok {
		return false
	}
	defer a.shape.spool.release()
	if a.head(rd, true, "") {
		return true
	}
	out := a.begin(size + 2)
	if out == nil {
		return true
	}
	_ = out.WriteByte('[')
	if _, err := io.Copy(out, body); err != nil {
		// The client has gone, or the file is unreadable: either way the body
		// ends short of its length, which the client sees.
		return true
	}
	_ = out.WriteByte(']')
	_ = out.Flush()
	return true
}

// log answers with messages of the log, or with none when there are none.
func (a *answer) log(rd reading, seen replication.LSN) {
	if a.head(rd, true, "") {
		return
	}
	tail := ""
	if rd.upToDate {
		tail = upToDate(a.position(rd, seen))
	}
	size := int64(2 + len(tail))
	for _, e := range rd.entries {
		size += int64(len(e.body))
	}
	parts := len(rd.entries)
	if tail != "" {
		parts++
	}
	size += int64(max(0, parts-1)) // commas
	out := a.begin(size)
	if out == nil {
		return
	}
	_ = out.WriteByte('[')
	for i, e := range rd.entries {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.Write(e.body)
	}
	if tail != "" {
		if len(rd.entries) > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString(tail)
	}
	_ = out.WriteByte(']')
	_ = out.Flush()
}

// position is the global_last_seen_lsn of an answer: that of its last change
// when it is live, else the newest of the database that it takes into account.
func (a *answer) position(rd reading, seen replication.LSN) replication.LSN {
	end := replication.LSN(rd.end.Tx)
	if a.req.live && len(rd.entries) > 0 {
		return end
	}
	return max(seen, end)
}

// begin sends the head of a 200 and returns where its body goes, nil for HEAD.
// Small bodies leave in one write.
func (a *answer) begin(size int64) *bufio.Writer {
	h := a.w.Header()
	h.Set("content-type", jsonType)
	h.Set("content-length", strconv.FormatInt(size, 10))
	a.w.WriteHeader(http.StatusOK)
	if a.r.Method == http.MethodHead {
		return nil
	}
	return bufio.NewWriterSize(a.w, int(min(size, 16<<10)))
}
