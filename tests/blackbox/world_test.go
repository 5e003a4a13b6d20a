package blackbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/limits"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/lookup"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/admission"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience bounds what should come at once.
const patience = 30 * time.Second

// settings are what a test may want otherwise.
type settings struct {
	hold           time.Duration // default 20 s: a test that is answered sooner was answered by something
	impatient      bool          // a fault of the upstream is the answer at once
	uncounted      bool          // the upstream is asked without bounds
	catchUp        time.Duration // the same of requests that are not live; default 30 s
	longPoll       time.Duration // of the upstream; default 20 s
	limit          int           // of live requests; default: the gateway's own
	linger         time.Duration // of flights
	keep           time.Duration // of what flights remember
	shareBytes     int           // of reads
	perEnvironment flight.PerEnvironment
	pageBytes      int
	chunkBytes     int
	silence        time.Duration                             // how long the head of an answer to a read may take; default 13 s
	maxBody        int64                                     // of what the upstream streams; default 1 GiB
	around         func(http.RoundTripper) http.RoundTripper // what stands between gateway and upstream

	cursorKey     byte          // of which the cursors' key is made; default 'k'
	sendBuffer    int           // of the server's connections, in the system; default: its own
	headerTimeout time.Duration // of the server; default: its own
	idleTimeout   time.Duration
	unread        time.Duration // how long a reader may take nothing; default: the gateway's own
}

// secret is ELECTRIC_SECRET. It must be escaped in a URL, and differently in JSON
// and in Go's %q, so that a test can look for it in every form.
const secret = `sesame +/&%"secret`

// world is a gateway with everything behind it, and two tenants.
type world struct {
	sendBuffer int
	t          *testing.T
	url        string
	pool       *pgxpool.Pool
	store      *runstore.Store
	feeds      *feeds.Service
	electric   *electric.Client
	flights    *flight.Group
	slots      *limits.Memory
	log        *logBuffer
	client     *http.Client
	ready      *atomic.Bool

	ours, theirs tenant
}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	if s.cursorKey == 0 {
		s.cursorKey = 'k'
	}
	w := &world{t: t, slots: &limits.Memory{}, log: &logBuffer{}, ready: &atomic.Bool{}}
	w.ready.Store(true)
	t.Cleanup(w.checkLog) // when everything has ended
	database := pgtest.Database(t)
	var err error
	if w.pool, err = pgxpool.New(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if w.store, err = runstore.New(runstore.Config{Primary: w.pool}); err != nil {
		t.Fatal(err)
	}
	upstream, err := embedded.New(t.Context(), embedded.Config{
		DatabaseURL: database, Slot: pgtest.Slot(t), LongPoll: s.longPoll, ChunkBytes: s.chunkBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := upstream.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	transport := upstream.Transport()
	if s.around != nil {
		transport = s.around(transport)
	}
	source, err := electric.New(electric.Config{Origin: "http://upstream.internal", Secret: secret, Transport: transport, Recheck: time.Millisecond, Silence: s.silence, MaxBody: s.maxBody})
	if err != nil {
		t.Fatal(err)
	}
	w.electric = source
	var asked shapes.Source = source
	if !s.impatient {
		patient := steady.New(steady.Config{Source: source})
		asked = patient
		if !s.uncounted {
			asked = admission.New(admission.Config{Source: patient})
		}
	}
	w.flights = flight.New(flight.Config{
		Source: asked, Linger: s.linger, Keep: s.keep, ShareBytes: s.shareBytes, PerEnvironment: s.perEnvironment,
	})
	t.Cleanup(w.flights.Close)
	codec, err := cursor.NewCodec(bytes.Repeat([]byte{s.cursorKey}, cursor.MinKey))
	if err != nil {
		t.Fatal(err)
	}
	people, err := census.New(census.Config{Store: w.store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(people.Close)
	w.feeds = feeds.New(feeds.Config{
		Census: people,
		Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{w.flights, w.flights}, PageBytes: s.pageBytes, CatchUp: s.catchUp}),
		Codec:  codec, Hold: s.hold,
	})
	directory, err := auth.NewCache(auth.CacheConfig{Source: auth.NewPostgresDirectory(w.pool)})
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err := auth.NewAuthenticator(auth.Config{Directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	finder, err := lookup.New(lookup.Config{Store: w.store})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := gateway.New(gateway.Config{
		Auth: authenticator, Finder: finder, Feeds: w.feeds, Slots: w.slots, ConcurrencyLimit: s.limit, Ready: w.ready.Load, Unread: s.unread, Log: zerolog.New(w.log),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.sendBuffer = s.sendBuffer
	w.serve(gateway.ServerConfig{Handler: handler, ReadHeaderTimeout: s.headerTimeout, IdleTimeout: s.idleTimeout})
	w.ours, w.theirs = newTenant(w, "ours"), newTenant(w, "theirs")
	return w
}

// checkLog fails a test, whichever it is, after which a secret, a token or a row
// stands in the log.
func (w *world) checkLog() {
	log := w.log.String()
	for what, text := range map[string]string{
		"a key": "tr_prod_", "a token": "eyJ", "a row": "CANARY", "the upstream's secret": "sesame",
	} {
		if i := strings.Index(log, text); i >= 0 {
			w.t.Errorf("%s is in the log: ...%s", what, log[max(0, i-200):min(len(log), i+100)])
		}
	}
}

func (w *world) serve(c gateway.ServerConfig) {
	w.t.Helper()
	listen := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if w.sendBuffer > 0 {
			err = c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, w.sendBuffer)
			})
		}
		return err
	}}
	listener, err := listen.Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	c.Log = zerolog.New(w.log)
	if c.ReadHeaderTimeout == 0 {
		// Go's client opens connections ahead of need, and takes it for an error
		// when one is closed before its first request.
		c.ReadHeaderTimeout = patience
	}
	server, ended := gateway.NewHTTPServer(c), make(chan error, 1)
	go func() { ended <- gateway.Serve(server, listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	w.client = &http.Client{Transport: transport}
	w.url = "http://" + listener.Addr().String()
	w.t.Cleanup(func() {
		transport.CloseIdleConnections()
		w.feeds.Drain()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			w.t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			w.t.Error(err)
		}
	})
}

// logBuffer is written by handlers and read by the test.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// request makes one for a path and query as they stand.
func (w *world) request(method, target, credential string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+target, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	return r
}

func (w *world) do(r *http.Request) reply {
	w.t.Helper()
	got, err := w.try(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return got
}

func (w *world) try(r *http.Request) (reply, error) {
	res, err := w.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.Header.Get("Content-Type") == "text/event-stream" {
		body, err := firstBatch(res.Body)
		return reply{res.StatusCode, res.Header, body}, err
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

// firstBatch is what a stream has up to its first up-to-date, as a list.
func firstBatch(stream io.Reader) (string, error) {
	var messages []string
	for lines := bufio.NewReader(stream); ; {
		line, err := lines.ReadString('\n')
		if data, is := strings.CutPrefix(line, "data: "); is {
			messages = append(messages, data)
		}
		if err == io.EOF || strings.Contains(line, `"up-to-date"`) {
			return "[" + strings.Join(messages, ",") + "]", nil
		}
		if err != nil {
			return "", err
		}
	}
}

func (w *world) get(target, credential string) reply {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, target, credential))
}

// place is what a client sends on after an answer.
func (r reply) place(extra ...string) string {
	q := url.Values{"handle": {r.header.Get("Electric-Handle")}, "offset": {r.header.Get("Electric-Offset")}}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return q.Encode()
}

// fresh subscribes to a feed and reads it until it is up to date.
func (w *world) fresh(path, credential string) reply {
	w.t.Helper()
	query := "offset=-1"
	for range 20 {
		got := w.get(with(path, query), credential)
		if got.status != 200 {
			w.t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		if _, ok := got.header["Electric-Up-To-Date"]; ok {
			return got
		}
		query = got.place()
	}
	w.t.Fatalf("%s is never up to date", path)
	return reply{}
}

// with adds to the query of a path, if it has one or not.
func with(path, query string) string {
	if strings.Contains(path, "?") {
		return path + "&" + query
	}
	return path + "?" + query
}
