package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/merge"
)

// Times of a stream of events.
const (
	// streamFor is how long after its request a stream ends, at the next moment at
	// which its reader is up to date.
	streamFor = 15 * time.Second
	// streamQuiet is how long a stream says nothing.
	streamQuiet = 5 * time.Second
	// streamLeast is how long a request takes at least once its stream has begun:
	// clients give up streaming after three that were shorter than a second.
	streamLeast = time.Second + 100*time.Millisecond
	// streamStuck is how long a stream goes on whose reader is not up to date.
	streamStuck = time.Minute
	// streamUnread is how long a reader may take nothing. One that is cut off goes
	// on where it was.
	streamUnread = 30 * time.Second
)

var errRotated = errors.New("a shape was rotated in the middle of a body")

// stream serves a feed as server-sent events (Electric's live_sse).
//
// It begins as a held poll: the head goes out with the first news, so that all that
// is wrong is an answer of JSON, as clients want it. The head names the offset that
// was asked for, and each up-to-date the place behind it: wherever a stream breaks
// off, its reader goes on from the last up-to-date and has lost nothing. (Electric's
// own head names the end, and a reader who is cut off then loses what it did not
// read.)
//
// Over HTTP/1.1 the end of the connection is that of the stream, so that a gateway
// that dies looks like one that has ended: the clients of 2025 take a chunked body
// without its end for the end of everything.
func (g *gateway) stream(w http.ResponseWriter, r *http.Request, a ask) error {
	defer g.holding(visitOf(r.Context()))()
	asked := time.Now()
	events, err := g.config.Feeds.Stream(a.feed, a.place)
	if err != nil {
		return g.feedError(w, a.client, err)
	}
	batch, err := events.Next(r.Context())
	g.endConnection(w)
	if err != nil {
		return g.feedError(w, a.client, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx collects answers
	h.Set("Electric-Handle", batch.Handle)
	h.Set("Electric-Offset", a.place.Offset)
	h.Set("Electric-Cursor", batch.Cursor)
	a.client.head(h)
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close")
		h.Set("Transfer-Encoding", "identity")
	}
	w.WriteHeader(http.StatusOK)
	s := &stream{unread: newUnread(w, streamUnread), events: events, client: a.client, began: asked}
	if err := s.run(r.Context(), batch); err != nil && r.Context().Err() == nil {
		zerolog.Ctx(r.Context()).Info().Err(err).Msg("a stream ended before its time: its reader comes again")
	}
	select {
	case <-time.After(streamLeast - time.Since(asked)):
	case <-r.Context().Done():
	}
	return nil
}

// stream is one that has begun.
type stream struct {
	*unread
	events *feeds.Stream
	client dialect
	began  time.Time
}

// run writes batch after batch until the stream has to end. Its error says why that
// is before its time; nobody but the log has to know.
func (s *stream) run(ctx context.Context, batch *feeds.Batch) error {
	upToDate := false
	for {
		if err := s.write(batch, upToDate); err != nil {
			return err
		}
		if batch != nil {
			upToDate = batch.UpToDate
		}
		age := time.Since(s.began)
		if s.events.Ends() || age >= streamStuck || upToDate && age >= streamFor {
			return nil
		}
		within := streamQuiet
		if upToDate {
			within = min(within, streamFor-age)
		}
		due := time.After(within)
		var err error
		batch, err = s.events.Within(ctx, within)
		switch _, down := errors.AsType[*feeds.Unavailable](err); {
		case err == nil || down && s.events.Ends():
		case down:
			select { // an upstream that fails is silence
			case <-due:
			case <-ctx.Done():
			}
		default:
			return err
		}
	}
}

// write writes a batch, and closes it. Where there is none, or nothing in it for a
// reader who is up to date, it gives a sign of life.
func (s *stream) write(batch *feeds.Batch, upToDate bool) error {
	if batch != nil {
		defer batch.Close()
	}
	if batch == nil || upToDate && batch.UpToDate && batch.Empty() {
		if _, err := io.WriteString(s, merge.KeepAlive); err != nil {
			return err
		}
		return s.control.Flush()
	}
	s.client.body(batch)
	rotated, err := batch.WriteEvents(s)
	switch {
	case err != nil:
		return err
	case rotated:
		return errRotated
	}
	return s.control.Flush()
}
