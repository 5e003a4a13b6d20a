package embedded

import (
	"net/http"
	"strconv"
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
	a.shape.enter(a)
	defer func() {
		a.shape.leave(a, a.server.hooks.now())
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
		case ended:
			unavailable(a.w, a.r, errEnded.Error(), 5)
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
	ended                 // the database is no longer followed
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
	case <-a.server.ended:
		select {
		case <-a.server.closing: // which is why
			return closing
		default:
			return ended
		}
	case <-a.r.Context().Done():
		return client
	}
}

// gone answers a reader whose shape has rotated.
func (a *answer) gone(rd reading) (again bool) {
	if rd.failure != nil {
		a.server.fail(a.w, a.r, rd.failure)
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
