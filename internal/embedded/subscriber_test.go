package embedded

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// subscriber follows a feed over a socket as a client does: it waits for news once
// it is up to date, and starts over when it is told to.
type subscriber struct {
	t    *testing.T
	b    *bench
	name string
	feed url.Values

	mu       sync.Mutex
	cond     *sync.Cond
	reader   reader
	restarts int // how often it was told to start over
	ended    bool
	err      error
}

// subscribe starts a subscriber of each feed, and returns when all of them wait
// for news. They end with the test.
func (b *bench) subscribe(t *testing.T, feeds ...url.Values) []*subscriber {
	t.Helper()
	web := httptest.NewServer(b.server)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
		web.Close()
	})
	var all []*subscriber
	for i, feed := range feeds {
		s := &subscriber{t: t, b: b, name: fmt.Sprint("subscriber ", i), feed: feed}
		s.cond = sync.NewCond(&s.mu)
		all = append(all, s)
		running.Go(func() {
			err := s.follow(ctx, web)
			s.note(func() { s.ended, s.err = true, err })
		})
	}
	for _, s := range all {
		s.untilHeld()
	}
	return all
}

func (s *subscriber) follow(ctx context.Context, web *httptest.Server) error {
	q := s.feed
	s.note(func() { s.reader = reader{rows: map[string]map[string]string{}} })
	for {
		got, err := s.ask(ctx, web, q)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		switch got.status {
		case http.StatusOK:
			s.note(func() { err = s.reader.apply(got.body) })
			if err != nil {
				return fmt.Errorf("after %v: %w", q, err)
			}
			q = with(s.feed, "handle", got.handle(), "offset", got.offset())
			if _, done := got.header["Electric-Up-To-Date"]; done {
				q.Set("live", "true")
			}
		case http.StatusConflict:
			s.note(func() { s.restarts, s.reader.rows = s.restarts+1, map[string]map[string]string{} })
			q = s.feed
		default:
			return fmt.Errorf("%d %s", got.status, got.body)
		}
	}
}

func (s *subscriber) ask(ctx context.Context, web *httptest.Server, q url.Values) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/v1/shape?"+q.Encode(), nil)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("x-exchange", "")
	if q.Has("live") {
		r.Header.Set("x-exchange", s.name)
	}
	resp, err := web.Client().Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body)}, err
}

func (s *subscriber) note(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	s.cond.Broadcast()
}

// untilHeld waits until the subscriber has waited for news once.
func (s *subscriber) untilHeld() {
	s.t.Helper()
	s.b.until(s.name+" to be held", func() bool { return s.b.waiting[s.name] > 0 })
}

// until waits for what a message makes true.
func (s *subscriber) until(what string, ok func() bool) {
	s.t.Helper()
	late := time.AfterFunc(patience+time.Second, s.cond.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(patience)
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ok() {
		if s.ended || time.Now().After(deadline) {
			s.t.Fatalf("%s waits for %s, with %d rows and %d restarts; it has ended: %v, %v", s.name, what, len(s.reader.rows), s.restarts, s.ended, s.err)
		}
		s.cond.Wait()
	}
}

// converge writes one more run into the environments' feeds, waits until every
// subscriber has it, and compares what each has with what its query gives.
func (b *bench) converge(t *testing.T, restarts int, all []*subscriber, last string, tags ...string) {
	t.Helper()
	b.write(addRun, last, "env", tags)
	for _, s := range all {
		s.until(last, func() bool { return s.reader.rows[`"public"."TaskRun"/"`+last+`"`] != nil })
		want := b.rows(s.feed)
		s.note(func() {
			if !maps.EqualFunc(s.reader.rows, want, maps.Equal) {
				t.Errorf("%s has %d rows, the query gives %d%.500s", s.name, len(s.reader.rows), len(want), firstDifference(s.reader.rows, want))
			}
			if s.restarts != restarts {
				t.Errorf("%s was told %d times to start over, want %d", s.name, s.restarts, restarts)
			}
		})
	}
}

// manyFeeds are feeds that all hold a run of "env" with the tags x and y: six
// shapes, the first with three readers.
func manyFeeds() []url.Values {
	all := tagFeed("env")
	wide := with(all, "columns", `"id","status","payload"`)
	byTime := with(all, "where", all.Get("where")+` AND "createdAt" > $2`, "params[2]", "2026-01-01T00:00:00Z")
	return []url.Values{all, all, all, tagFeed("env", "x"), tagFeed("env", "y"), tagFeed("env", "x", "y"), wide, byTime}
}
