package gateway

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

// mustRefetchBody is the body of a 409. SDKs hand it to their subscribers as it
// is, so it must be this array.
const mustRefetchBody = `[{"headers":{"control":"must-refetch"}}]`

// serve answers with the feed's next batch.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, who *auth.Principal, feed *feeds.Feed, q *feedQuery) error {
	if q.Offset == "" {
		return queryError(wrong("offset", "is missing: start at -1"))
	}
	a := ask{feed, feeds.Place{Handle: q.Handle, Offset: q.Offset, Cursor: q.Cursor, Expired: q.ExpiredHandle, Until: who.Expires}, dialectOf(r.Header)}
	if q.Live {
		return g.live(w, r, a, who.Environment.ID, q.SSE)
	}
	batch, err := g.config.Feeds.Next(r.Context(), feed, a.place, false)
	g.endConnection(w)
	if err != nil {
		return g.feedError(w, a.client, err)
	}
	defer batch.Close()
	a.client.body(batch)
	write(r.Context(), w, a.client, batch, g.config.Unread)
	return nil
}

// ask is what a request asks for: what follows a place in a feed.
type ask struct {
	feed   *feeds.Feed
	place  feeds.Place
	client dialect
}

// live serves a request that is held until there is news, and has a slot of its
// environment until it was answered. Where that is possible the entrance waits.
func (g *gateway) live(w http.ResponseWriter, r *http.Request, a ask, environment string, sse bool) error {
	release, ok := g.config.Slots.Acquire(r.Context(), environment, g.config.ConcurrencyLimit)
	if !ok {
		g.config.Observer.Limited()
		return tooMany()
	}
	p := &poll{gateway: g, client: a.client, release: release, ctx: r.Context()}
	defer func() {
		if p != nil {
			p.release()
		}
	}()
	if sse {
		return g.stream(w, r, a)
	}
	v := visitOf(p.ctx)
	if v != nil && v.mayWait {
		p.ctx = v // and not what the routes have put around it
	}
	p.over = g.holding(v)
	var err error
	if p.held, err = g.config.Feeds.Hold(p.ctx, a.feed, a.place); err != nil {
		p.over()
		g.endConnection(w)
		return g.feedError(w, a.client, err)
	}
	if p.ctx == context.Context(v) {
		v.poll, p = p, nil
		return nil
	}
	p.held.Wait()
	return p.answer(w, nil)
}

// feedError answers with what a feed gave instead of a batch. Only a 409 is
// written here; the rest goes back as an error.
func (g *gateway) feedError(w http.ResponseWriter, client dialect, err error) error {
	if refetch, ok := errors.AsType[*feeds.MustRefetch](err); ok {
		g.config.Observer.Refetched(refetch.Reason)
		h := w.Header()
		h.Set("Electric-Handle", refetch.Handle)
		h.Set("Content-Type", jsonType)
		h.Set("Content-Length", strconv.Itoa(len(mustRefetchBody)))
		client.head(h)
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(mustRefetchBody)) // the client is gone: nobody is left to tell
		return nil
	}
	if fault, ok := errors.AsType[*feeds.Unavailable](err); ok {
		return unavailable(fault)
	}
	if limited, ok := errors.AsType[*feeds.Limited](err); ok {
		return tooManyFeeds(limited)
	}
	if errors.Is(err, feeds.ErrLiveStart) {
		return queryError(wrong("live", "cannot be true when offset is -1"))
	}
	return err
}

// write answers with a batch, whose reader takes something within so long.
func write(ctx context.Context, w http.ResponseWriter, client dialect, batch *feeds.Batch, within time.Duration) {
	h := w.Header()
	values := make(headerValues, 0, maxFields)
	var room [maxFields]field
	for _, f := range fieldsOf(batch, room[:0]) {
		values.set(h, f.name, f.value)
	}
	client.head(h)
	w.WriteHeader(http.StatusOK)
	var err error
	if size := batch.Size(); size < 0 || size > unreadBytes {
		err = writeLarge(ctx, w, batch, within)
	} else {
		// Who takes nothing would keep its rows, and a slot of its environment, as long as it
		// likes. The system sees to that where the answer has a connection to itself, since a
		// deadline for each costs a twentieth of all that is done for it, or more.
		if connOf(ctx) == nil {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(within))
		}
		_, err = batch.WriteTo(w)
	}
	switch v := visitOf(ctx); {
	case err == nil:
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		zerolog.Ctx(ctx).Info().Msg("a reader took nothing of an answer for too long: its connection is cut")
	case ctx.Err() == nil:
		zerolog.Ctx(ctx).Error().Err(err).Msg("an answer broke off: its connection is cut so that it is not taken for a whole one")
	case v != nil:
		v.left = true // or has only ceased to send, and must not take this for all
	}
	panic(http.ErrAbortHandler)
}

// writeLarge writes the body of a batch to a reader who may be slow, or take nothing.
func writeLarge(ctx context.Context, w http.ResponseWriter, batch *feeds.Batch, within time.Duration) error {
	pieces := newUnread(w, within)
	pieces.gather(connOf(ctx))
	defer pieces.over()
	if _, err := batch.WriteTo(pieces); err != nil {
		return err
	}
	return pieces.end()
}

// field is a header of an answer.
type field struct{ name, value string }

// maxFields is how many a batch has at most.
const maxFields = 7

// fieldsOf adds the headers of a batch.
func fieldsOf(batch *feeds.Batch, to []field) []field {
	to = append(to, field{"Content-Type", jsonType}, field{"Electric-Handle", batch.Handle}, field{"Electric-Offset", batch.Offset})
	if batch.Cursor != "" {
		to = append(to, field{"Electric-Cursor", batch.Cursor})
	}
	if batch.Schema != "" {
		to = append(to, field{"Electric-Schema", batch.Schema})
	}
	if batch.UpToDate {
		to = append(to, field{"Electric-Up-To-Date", ""})
	}
	if length := batch.Length(); length != "" {
		to = append(to, field{"Content-Length", length})
	}
	return to
}

// headerValues are values of headers in one piece of memory.
type headerValues []string

// set is http.Header's Set, for a name as it is written there.
func (v *headerValues) set(h http.Header, name, value string) {
	*v = append(*v, value)
	last := len(*v) - 1
	h[name] = (*v)[last : last+1 : last+1]
}
