package feeds

import (
	"context"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
)

// Stream is a reader who stays: what follows a place, and what follows that. It
// belongs to one goroutine.
type Stream struct {
	service *Service
	feed    *Feed
	place   Place // where it began
	at      cursor.Cursor
	cut     <-chan struct{}
	began   bool // a batch was given
	gained  bool // a table that could not be opened any more has runs
}

// Stream begins at a place. Errors are *MustRefetch and ErrLiveStart.
func (s *Service) Stream(f *Feed, p Place) (*Stream, error) {
	if p.Starts() {
		return nil, ErrLiveStart
	}
	at, err := s.at(f, p)
	if err != nil {
		return nil, s.mustRefetch(f, err)
	}
	return &Stream{service: s, feed: f, place: p, at: at, cut: s.cuts.one()}, nil
}

// Next waits for what comes next, as long as a live request is held, and gives it.
// After a batch that broke off the Stream is of no use any more.
//
// The handle of the first batch is that of all others: only then can a table still
// be opened, and a rotation is an error. Their offsets are good for it.
func (r *Stream) Next(ctx context.Context) (*Batch, error) {
	return r.Within(ctx, r.service.hold())
}

// Within is Next for so long at most.
func (r *Stream) Within(ctx context.Context, hold time.Duration) (*Batch, error) {
	h := r.begin(ctx, hold)
	h.Wait()
	return h.Batch()
}

// begin begins to wait for what comes next.
func (r *Stream) begin(ctx context.Context, hold time.Duration) Held {
	s := r.service
	if !r.place.Until.IsZero() {
		// The client hears that it is up to date, and that it may no longer ask
		// when it asks again.
		hold = max(min(hold, r.place.Until.Sub(s.config.Now())), 1) // 0 would be a request that is not live
	}
	req := merge.Request{Hold: hold, Cut: r.cut, Fixed: r.began}
	h := Held{stream: r}
	if s.config.Census != nil && r.feed.missing(&r.at) {
		var gains [merge.Sides]<-chan struct{}
		gains, h.release = s.config.Census.Watch(r.feed.environment)
		for i := range gains {
			if r.feed.tables[i] && !r.at.Sides[i].Opened {
				req.Gains[i] = gains[i]
			}
		}
		if req.Fixed {
			h.gains = req.Gains
		}
	}
	h.Held = s.begin(ctx, r.feed, &r.at, req)
	return h
}

// Held is a live request that waits. Whoever began it calls Wait and then Batch,
// always; it belongs to one goroutine at a time.
type Held struct {
	*merge.Held
	stream  *Stream
	gains   [merge.Sides]<-chan struct{} // those that end it
	release func()                       // nil: nothing is watched
	batch   Batch
}

// Hold begins to wait for what follows the place: it is Next with live, in parts, so
// that who waits can do so where it costs the least. Errors are those of Stream.
func (s *Service) Hold(ctx context.Context, f *Feed, p Place) (*Held, error) {
	stream, err := s.Stream(f, p)
	if err != nil {
		return nil, err
	}
	h := stream.begin(ctx, s.hold())
	return &h, nil
}

// Batch is what came, once it was waited for. Errors are those of Service.Next.
func (h *Held) Batch() (*Batch, error) {
	r := h.stream
	if h.release != nil {
		defer h.release()
	}
	r.gained = isClosed(h.gains[0]) || isClosed(h.gains[1]) // which is also why there may be no batch
	b := &h.batch
	if err := r.service.batch(b, r.feed, &r.at, r.place.Expired, h.Held); err != nil {
		return nil, err
	}
	r.began = true
	b.Cursor = r.service.live(r.place.Cursor)
	return b, nil
}

// WriteEvents writes the body as server-sent events, one for each message. The
// up-to-date carries the place, as the global_last_seen_lsn that clients make their
// offset of. If it says rotated, the body broke off and the reader has to come again.
func (b *Batch) WriteEvents(w io.Writer) (rotated bool, err error) {
	lsn, err := cursor.Number(b.Next)
	if err != nil {
		return false, err
	}
	return b.Answer.WriteEvents(w, lsn)
}

// Ends says that the reader has to come again to be served on: the process is about
// to end, the credential does, or a table has gained its first run.
func (r *Stream) Ends() bool {
	until := r.place.Until
	return r.gained || isClosed(r.cut) || !until.IsZero() && !until.After(r.service.config.Now())
}

// number is one and its text.
type number struct {
	n    uint64
	text string
}

// live is the next live cursor.
func (s *Service) live(previous string) string {
	n, shared := cursor.Live(s.config.Now(), previous)
	if last := s.lastLive.Load(); shared && last != nil && last.n == n {
		return last.text
	}
	text := strconv.FormatUint(n, 10)
	if shared {
		s.lastLive.Store(&number{n, text})
	}
	return text
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// hold is how long a live request waits.
func (s *Service) hold() time.Duration {
	return s.cuts.shortened(time.Duration(float64(s.config.Hold) * (0.85 + 0.3*rand.Float64())))
}
