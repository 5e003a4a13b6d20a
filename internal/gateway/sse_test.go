package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// deadlined is a connection that notes until when it may be written to.
type deadlined struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.until = append(d.until, t)
	return nil
}

// A stream's reader has its time anew for each piece, however many a batch has.
func TestASlowReaderOfAStreamIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		s := &stream{unread: newUnread(d, streamUnread)}
		for range 3 {
			_, _ = s.Write([]byte("a piece"))
			if got := time.Until(d.until[len(d.until)-1]); got != streamUnread {
				t.Errorf("it has %v", got)
			}
			time.Sleep(streamUnread - time.Second)
		}
		if s.Flush(); !d.Flushed || len(d.until) != 4 {
			t.Errorf("flushed %v, %d deadlines", d.Flushed, len(d.until))
		}
	})
}

// feedOver makes a tag feed over an upstream, and a gateway that may serve it.
func feedOver(t *testing.T, upstream shapes.Source) (*gateway, *feeds.Feed) {
	codec, err := cursor.NewCodec(make([]byte, cursor.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	flights := flight.New(flight.Config{Source: upstream})
	t.Cleanup(flights.Close)
	g := &gateway{config: Config{Observer: nobody{}, Draining: func() bool { return false }, Unread: time.Minute, Feeds: feeds.New(feeds.Config{
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}), Codec: codec, Hold: 20 * time.Second,
	})}}
	feed, err := g.config.Feeds.Tags(crowdEnv, []string{"demo"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, feed
}

// halting is an upstream whose news end in the middle of something, of which it says no
// more.
type halting struct{ crowd }

func (h *halting) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	if pos.Offset.Kind == shapes.At && pos.Offset.Compare(shapes.LogOffset(1, 0)) > 0 {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return h.crowd.Read(ctx, def, pos)
}

// A stream that has to end does so at once, also where its reader is in the middle of
// something and there is nothing to tell.
func TestAStreamInTheMiddleEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &halting{crowd{news: make(chan *shapes.News, 1)}}
		u.news <- &shapes.News{Batch: shapes.Batch{Rows: []byte(crowdRow), Count: 1}}
		g, feed := feedOver(t, u)
		first, err := g.config.Feeds.Next(t.Context(), feed, feeds.Place{Offset: "-1"}, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
		first.Close()

		const left = streamQuiet + 2*time.Second // of the credential: in the middle of a silence
		began := time.Now()
		a := ask{feed, feeds.Place{Handle: first.Handle, Offset: first.Offset, Until: began.Add(left)}, dialectOf(http.Header{})}
		rec := httptest.NewRecorder()
		if err := g.stream(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), a); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != left || rec.Code != http.StatusOK || rec.Body.Len() == 0 {
			t.Errorf("after %v: %d %q", took, rec.Code, rec.Body)
		}
	})
}
