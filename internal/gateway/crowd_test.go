package gateway

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

const (
	crowdEnv = "cmenvironment0000000000000"
	crowdKey = auth.Key("tr_prod_0123456789abcdefghij")
	crowdRow = `{"key":"\"public\".\"TaskRun\"/\"cmrun\"","value":{"id":"cmrun","status":"EXECUTING","updatedAt":"2026-01-01 00:00:00"},"headers":{"operation":"update","relation":["public","TaskRun"],"lsn":"100","op_position":0}}`
	crowdEnd = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"100"}}`
)

// one is the platform's database of one environment, without runs or batches.
type one struct{}

func (one) EnvironmentByID(_ context.Context, id string) (*auth.Entry, error) {
	if id != crowdEnv {
		return nil, auth.ErrUnknown
	}
	return &auth.Entry{Environment: auth.Environment{ID: crowdEnv, Type: auth.Production}, SigningKeys: []auth.Key{crowdKey}}, nil
}

func (o one) RereadEnvironmentByID(ctx context.Context, id string) (*auth.Entry, error) {
	return o.EnvironmentByID(ctx, id)
}

func (o one) EnvironmentByKey(ctx context.Context, _ auth.Key) (*auth.Entry, error) {
	return o.EnvironmentByID(ctx, crowdEnv)
}

func (one) BranchEnvironment(context.Context, string, string) (*auth.Environment, error) {
	return nil, auth.ErrUnknown
}

func (one) FindRefByFriendlyID(context.Context, string, runid.Friendly) (runstore.Ref, error) {
	return runstore.Ref{}, runstore.ErrNotFound
}

func (one) FindBatchByFriendlyID(context.Context, string, runid.Friendly) (runstore.Batch, error) {
	return runstore.Batch{}, runstore.ErrNotFound
}

// crowd is a gateway over an upstream that has news of one table when it is told to,
// and clients who wait for it.
type crowd struct {
	nobody
	handler http.Handler
	news    chan *shapes.News
	holding atomic.Int64 // requests that wait
	changed chan struct{}
	token   string
	place   url.Values     // of all clients
	noted   func(Answered) // is told of each answer, if it is not nil
}

func (c *crowd) Answered(a Answered) {
	if c.noted != nil {
		c.noted(a)
	}
}

func (c *crowd) Holding(change int) {
	c.holding.Add(int64(change))
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// until waits until so many requests are held.
func (c *crowd) until(held int) {
	for c.holding.Load() != int64(held) {
		<-c.changed
	}
}

// Read implements shapes.Source.
func (c *crowd) Read(_ context.Context, _ *shapes.Definition, _ shapes.Position) (*shapes.Page, error) {
	return &shapes.Page{
		Next: shapes.Position{Handle: "17-23", Offset: shapes.LogOffset(1, 0)}, Schema: `{"id":{"type":"text"}}`,
		Messages: shapes.NewBytesScanner([]byte("[" + crowdEnd + "]")), Close: func() error { return nil },
	}, nil
}

// Wait implements shapes.Source. The second table has no news.
func (c *crowd) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	news := c.news
	if def.Table() != shapes.LegacyTable {
		news = nil
	}
	select {
	case n := <-news:
		n.Next = shapes.Position{Handle: pos.Handle, Offset: shapes.LogOffset(pos.Offset.Tx+1, 0)}
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tell gives everybody who waits a row.
func (c *crowd) tell(row string) {
	c.news <- &shapes.News{Batch: shapes.Batch{Rows: []byte(row), Count: 1, UpToDate: true, LSN: 100}}
}

func newCrowd(t testing.TB, set ...func(*Config)) *crowd {
	t.Helper()
	c := &crowd{news: make(chan *shapes.News), changed: make(chan struct{}, 1)}
	directory, err := auth.NewCache(auth.CacheConfig{Source: one{}})
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err := auth.NewAuthenticator(auth.Config{Directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	codec, err := cursor.NewCodec(make([]byte, cursor.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	flights := flight.New(flight.Config{Source: c})
	t.Cleanup(flights.Close)
	config := Config{
		Auth: authenticator, Finder: one{}, Observer: c, ConcurrencyLimit: 1 << 20, Log: zerolog.New(io.Discard),
		Feeds: feeds.New(feeds.Config{Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}), Codec: codec, Hold: 30 * time.Second}),
	}
	for _, set := range set {
		set(&config)
	}
	c.handler, err = New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.token, err = auth.Sign(crowdKey, auth.Token{EnvironmentID: crowdEnv, Scopes: []string{"read:tags:demo"}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	c.handler.ServeHTTP(rec, c.request(t, url.Values{"offset": {"-1"}}, io.Discard))
	if rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	c.moved(rec.Header())
	return c
}

// moved takes the clients to where an answer says.
func (c *crowd) moved(h http.Header) {
	c.place = url.Values{"handle": {h.Get("Electric-Handle")}, "offset": {h.Get("Electric-Offset")}, "cursor": {h.Get("Electric-Cursor")}, "live": {"true"}}
}

// request is one that comes over a connection, which is what answers are written to that go
// straight there.
func (c *crowd) request(t testing.TB, place url.Values, to io.Writer) *http.Request {
	ctx := knowsItsConn(t.Context(), &strictConn{out: to}) // as the server's are
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/realtime/v1/runs?tags=demo&"+place.Encode(), http.NoBody)
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set(electricVersion, "1.0.14")
	r.Header.Set(apiVersion, statusVersion)
	return r
}

// memory is where an answer that goes straight comes to, in place of a client.
type memory struct {
	bytes.Buffer
	told func() // when it has come
}

func (m *memory) Write(p []byte) (int, error) {
	defer m.told()
	return m.Buffer.Write(p)
}

// answer is what came.
func (m *memory) answer(t testing.TB) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(&m.Buffer), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != crowdBody || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", answer.StatusCode, body, err)
	}
	return answer
}

var crowdBody = "[" + crowdRow + "," + strings.Replace(crowdEnd, "100", "1", 1) + "]"

// Who waited has the answer before it is noted: neither the log nor an observer is on the
// way of a change.
func TestTheAnswerDoesNotWaitForTheLog(t *testing.T) {
	c := newCrowd(t)
	theAnswerDoesNotWait(t, c, serve(t, ServerConfig{Handler: c.handler}))
	c = newCrowd(t)
	other := httptest.NewServer(c.handler) // whose connections are not known: net/http writes
	defer other.Close()
	theAnswerDoesNotWait(t, c, other.Listener.Addr().String())
}

func theAnswerDoesNotWait(t *testing.T, c *crowd, addr string) {
	t.Helper()
	heard, noted := make(chan struct{}), make(chan bool, 1)
	c.noted = func(Answered) {
		select {
		case <-heard:
			noted <- true
		case <-time.After(10 * time.Second):
			noted <- false
		}
	}
	go func() {
		c.until(1)
		c.tell(crowdRow)
	}()
	req := c.request(t, c.place, io.Discard)
	req.RequestURI = ""
	req.URL.Scheme, req.URL.Host = "http", addr
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != crowdBody || resp.ContentLength != int64(len(crowdBody)) {
		t.Errorf("%s, %v, of %d bytes", body, err, resp.ContentLength)
	}
	close(heard)
	if !<-noted {
		t.Error("the answer was noted before the client had it")
	}
}

// The last of many who wait for the same has it before what is done for the first behind
// its answer: the lines of the log and the next requests come when all were told. Over HTTP/2
// that would be the end of the first one's answer, which comes when its handler has returned.
func TestAllAreToldBeforeOneIsDone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // or the order would be the system's
	const many = 100
	// Go takes one from the end of the queue now and then.
	if got := toldAtHalf(t, 1, many); got < many*9/10 {
		t.Errorf("when %d of %d were done with, %d had been told", many/2, many, got)
	}
	if got := toldAtHalf(t, 2, many); got > many*6/10 {
		t.Errorf("over HTTP/2, when %d of %d were done with, %d had been told", many/2, many, got)
	}
}

// writing says when an answer begins that does not go straight.
type writing struct {
	*httptest.ResponseRecorder
	told func()
}

func (w *writing) Write(p []byte) (int, error) {
	w.told()
	return w.ResponseRecorder.Write(p)
}

// toldAtHalf is how many of a crowd had been told when half of it was done with.
func toldAtHalf(t *testing.T, protocol, many int) int {
	c := newCrowd(t)
	var told, done, atHalf atomic.Int64
	c.noted = func(Answered) {
		if done.Add(1) == int64(many/2) {
			atHalf.Store(told.Load())
		}
	}
	var answered sync.WaitGroup
	for range many {
		tell := func() { told.Add(1) }
		w, r := &writing{httptest.NewRecorder(), tell}, c.request(t, c.place, &memory{told: tell})
		r.ProtoMajor = protocol
		answered.Go(func() { c.handler.ServeHTTP(w, r) })
	}
	c.until(many)
	c.tell(crowdRow)
	answered.Wait()
	return int(atHalf.Load())
}
