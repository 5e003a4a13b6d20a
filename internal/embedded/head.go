package embedded

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

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

// nextCursor is the electric-cursor of a live answer: the end of the current
// window of long polls, in seconds since Electric's epoch, or anything beyond
// the client's when that is not further on (sync-service 1.7.12,
// plug/utils.ex).
func nextCursor(now time.Time, window time.Duration, previous int64, jitter func(n int64) int64) int64 {
	epoch := time.Date(2024, 10, 9, 0, 0, 0, 0, time.UTC)
	step := int64(window / time.Second)
	if step < 1 {
		return 0
	}
	c := int64(now.Sub(epoch) / time.Second)
	if now.Sub(epoch)%time.Second > 0 {
		c++
	}
	c = (c + step - 1) / step * step
	if c <= previous {
		return previous + 1 + jitter(3600)
	}
	return c
}

func etag(handle string, from, to shapes.Offset, clock string) string {
	return `"` + handle + ":" + from.String() + ":" + to.String() + clock + `"`
}
