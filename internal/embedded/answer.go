package embedded

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/replication"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// answer is one request on its way to a response. It belongs to one goroutine.
type answer struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	req    *request
	shape  *shape
	timer  *time.Timer // of the hold, once there is one
}

// serve answers, after a hold if need be. again says that nothing was sent,
// because a reader at the very beginning met the end of its shape: it can be
// given the next one.
func (a *answer) serve() (again bool) {
	defer func() {
		if a.timer != nil {
			a.timer.Stop()
		}
	}()
	for {
		// Before the log is looked at: what is in it may be newer than this.
		seen := a.server.lastSeen()
		rd := a.shape.read(a.req.offset)
		switch rd.standing {
		case gone:
			return a.gone(rd)
		case hasChunk:
			if a.snapshotChunk(rd) {
				return false
			}
			continue // discarded a moment ago: gone
		case hasLog:
			a.log(rd, seen)
			return false
		case atEnd:
			if !a.waits(rd) {
				a.log(rd, seen)
				return false
			}
		}
		switch w := a.wait(rd); w {
		case client:
			return false
		case timeout, closing:
			seen = a.server.lastSeen()
			if rd = a.shape.read(a.req.offset); a.waits(rd) {
				a.unanswered(rd, seen, w)
				return false
			}
			// News at the last moment.
		}
	}
}

// waits says whether there is nothing to tell yet. A live reader that is exactly
// at the end waits; one that comes from the snapshot is first told where it is.
func (a *answer) waits(rd reading) bool {
	switch rd.standing {
	case notYet, beyondEnd:
		return true
	case atEnd:
		return a.req.live && rd.end == a.req.offset
	}
	return false
}

// wakeup says what ended a wait.
type wakeup uint8

const (
	news    wakeup = iota // the shape has changed
	timeout               // the hold is over
	closing               // the server is closing
	client                // the client has gone
)

func (a *answer) wait(rd reading) wakeup {
	var limit <-chan time.Time
	if rd.standing != notYet { // a snapshot takes as long as it takes
		if a.timer == nil {
			hold := a.server.cfg.LongPoll
			if rd.standing == beyondEnd {
				hold /= 2
			}
			a.timer = time.NewTimer(hold)
		}
		limit = a.timer.C
	}
	a.server.hooks.held(a.r)
	select {
	case <-rd.changed:
		return news
	case <-limit:
		return timeout
	case <-a.server.closing:
		return closing
	case <-a.r.Context().Done():
		return client
	}
}

// gone answers a reader whose shape has rotated.
func (a *answer) gone(rd reading) (again bool) {
	if rd.failure != nil {
		unavailable(a.w, a.r, "Failed to create shape, please retry", 1)
		return false
	}
	if a.req.offset.Kind == shapes.BeforeAll {
		return true
	}
	redirect(a.w, a.r, "")
	return false
}

// unanswered ends a hold that brought nothing.
func (a *answer) unanswered(rd reading, seen replication.LSN, why wakeup) {
	switch {
	case rd.standing == atEnd:
		// The clock keeps caches from ever taking two of these for the same.
		a.head(rd, false, ":"+strconv.FormatInt(time.Now().UnixNano(), 10))
		sendJSON(a.w, a.r, http.StatusOK, "["+upToDate(seen)+"]")
	case why == closing:
		unavailable(a.w, a.r, errStopping.Error(), 5)
	default:
		refuse(a.w, a.r, &requestError{"offset", "out of bounds for this shape"})
	}
}

// head sets the headers of a 200, and says whether the client has this answer
// already: then a 304 was sent.
func (a *answer) head(rd reading, hasData bool, clock string) (sent bool) {
	h := a.w.Header()
	tag := etag(a.shape.handle, a.req.offset, rd.end, clock)
	h.Set("etag", tag)
	h.Set("electric-handle", a.shape.handle)
	h.Set("electric-offset", rd.end.String())
	h.Set("electric-has-data", strconv.FormatBool(hasData))
	if rd.upToDate {
		h.Set("electric-up-to-date", "")
	}
	switch {
	case a.req.offset.Kind == shapes.BeforeAll:
		h.Set("cache-control", "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746")
	case a.req.live:
		h.Set("cache-control", "public, max-age=5, stale-while-revalidate=5")
	default:
		h.Set("cache-control", "public, max-age=60, stale-while-revalidate=300")
	}
	if a.req.live {
		c := nextCursor(time.Now(), a.server.cfg.LongPoll, a.req.cursor, rand.Int64N)
		h.Set("electric-cursor", strconv.FormatInt(c, 10))
	}
	if knows(a.r.Header.Get("If-None-Match"), tag) {
		h.Set("content-type", jsonType)
		a.w.WriteHeader(http.StatusNotModified)
		return true
	}
	if !a.req.live {
		h.Set("electric-schema", a.shape.query.header)
	}
	return false
}

// knows says whether an If-None-Match list has the tag. Electric takes unquoted
// values too, and neither "*" nor weak tags.
func knows(list, tag string) bool {
	return list != "" && slices.ContainsFunc(strings.Split(list, ","), func(s string) bool {
		s = strings.TrimSpace(s)
		return s == tag || s == strings.Trim(tag, `"`)
	})
}

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
	return bufio.NewWriterSize(a.w, int(min(size, 64<<10)))
}
