package gateway

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
)

// mustRefetchBody is the body of a 409. SDKs hand it to their subscribers as it
// is, so it must be this array.
const mustRefetchBody = `[{"headers":{"control":"must-refetch"}}]`

// serve answers with the feed's next batch. A live request holds one slot of
// its environment, however many upstream calls it comes to.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, who *auth.Principal, feed *feeds.Feed, q *feedQuery) error {
	if q.Offset == "" {
		return queryError(wrong("offset", "is missing: start at -1"))
	}
	if q.Live {
		release, ok := g.config.Slots.Acquire(r.Context(), who.Environment.ID, g.config.ConcurrencyLimit)
		if !ok {
			g.config.Observer.Limited()
			return tooMany()
		}
		defer release()
	}
	place := feeds.Place{Handle: q.Handle, Offset: q.Offset, Cursor: q.Cursor, Expired: q.ExpiredHandle, Until: who.Expires}
	client := dialectOf(r.Header)
	if q.SSE {
		return g.stream(w, r, feed, place, client)
	}
	batch, err := g.next(r, feed, place, q.Live)
	g.endConnection(w)
	if err != nil {
		return g.feedError(w, client, err)
	}
	defer batch.Close()
	if recast := client.recast(); recast != nil {
		batch.Recast(recast)
	}
	writeBatch(w, r, client, batch)
	return nil
}

// next is the feed's next batch. A live request is held until it is there.
func (g *gateway) next(r *http.Request, feed *feeds.Feed, place feeds.Place, live bool) (*feeds.Batch, error) {
	if live {
		defer g.holding(r)()
	}
	return g.config.Feeds.Next(r.Context(), feed, place, live)
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

func writeBatch(w http.ResponseWriter, r *http.Request, client dialect, batch *feeds.Batch) {
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Electric-Handle", batch.Handle)
	h.Set("Electric-Offset", batch.Offset)
	if batch.Cursor != "" {
		h.Set("Electric-Cursor", batch.Cursor)
	}
	if batch.Schema != "" {
		h.Set("Electric-Schema", batch.Schema)
	}
	if batch.UpToDate {
		h["Electric-Up-To-Date"] = []string{""}
	}
	client.head(h)
	if size := batch.Size(); size >= 0 {
		h.Set("Content-Length", strconv.Itoa(size))
	}
	w.WriteHeader(http.StatusOK)
	if _, err := batch.WriteTo(w); err != nil && r.Context().Err() == nil {
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("an answer broke off: its connection is cut so that it is not taken for a whole one")
		panic(http.ErrAbortHandler)
	}
}
