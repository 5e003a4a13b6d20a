package embedded

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// patience bounds what a test waits for that should come at once.
const patience = 30 * time.Second

// bench is a server on a database of its own, and a connection to write with.
type bench struct {
	t      testing.TB
	server *Server
	client *http.Client
	db     *pgx.Conn

	mu      sync.Mutex
	cond    *sync.Cond
	now     time.Time
	waiting map[string]int // requests by their x-exchange header: how often each began to wait
}

func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	return newBenchAt(t, pgtest.Database(t), cfg)
}

func newBenchAt(t testing.TB, databaseURL string, cfg Config) *bench {
	t.Helper()
	cfg.DatabaseURL, cfg.Slot = databaseURL, pgtest.Slot(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{ // whatever the database's own are
		"statement_timeout": "0", "lock_timeout": "0", "idle_session_timeout": "0",
		"default_transaction_read_only": "off", "search_path": "public", "client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "UTC",
	} {
		config.RuntimeParams[k] = v
	}
	db, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	s, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, server: s, client: &http.Client{Transport: s.Transport()}, db: db, now: time.Now(), waiting: make(map[string]int)}
	b.cond = sync.NewCond(&b.mu)
	s.hooks.set(hooks{
		held: func(r *http.Request) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waiting[r.Header.Get("x-exchange")]++
			b.cond.Broadcast()
		},
		progress: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.cond.Broadcast()
		},
		now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.now
		},
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if l := &s.ledger; l.memory.Load() != 0 || l.disk.Load() != 0 || l.files.Load() != 0 {
			t.Errorf("the ledger of a closed server has %d bytes in memory, %d in %d files", l.memory.Load(), l.disk.Load(), l.files.Load())
		}
	})
	return b
}

// later moves the time by which shapes are given up.
func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// until waits for a condition that a hook announces.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	late := time.AfterFunc(patience+time.Second, b.cond.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(patience)
	b.mu.Lock()
	defer b.mu.Unlock()
	for !ok() {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %s for %s", patience, what)
		}
		b.cond.Wait()
	}
}

// exec runs one statement, and returns when the server has read it from the log.
func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	b.write(sql, args...)
	b.caughtUp()
}

func (b *bench) write(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *bench) caughtUp() {
	b.t.Helper()
	var text string
	if err := b.db.QueryRow(b.t.Context(), `SELECT pg_current_wal_flush_lsn()::text`).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		b.t.Fatal(err)
	}
	b.until("the log to be read", func() bool { return b.server.read.Load() >= uint64(lsn) })
}

// reply is a response that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) handle() string { return r.header.Get("electric-handle") }
func (r reply) offset() string { return r.header.Get("electric-offset") }

// messages are the elements of the body.
func (r reply) messages(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("body %.200q: %v", r.body, err)
	}
	return out
}

// summary is the body in short: one word a message.
func (r reply) summary(t testing.TB) string {
	t.Helper()
	var words []string
	for _, m := range r.messages(t) {
		h := m["headers"].(map[string]any)
		if c, ok := h["control"].(string); ok {
			words = append(words, c)
			continue
		}
		key := m["key"].(string)
		words = append(words, h["operation"].(string)+" "+strings.Trim(key[strings.LastIndexByte(key, '/')+1:], `"`))
	}
	return strings.Join(words, ", ")
}

func (b *bench) do(r *http.Request) reply {
	resp, err := b.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
}

func (b *bench) request(ctx context.Context, q url.Values) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shapes/v1/shape?"+q.Encode(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// get asks and waits for the answer.
func (b *bench) get(q url.Values) reply {
	b.t.Helper()
	r := b.do(b.request(b.t.Context(), q))
	if r.err != nil {
		b.t.Fatal(r.err)
	}
	return r
}

// hold asks, and returns when the request waits. Its answer comes on the channel.
func (b *bench) hold(name string, q url.Values) <-chan reply {
	b.t.Helper()
	r := b.request(b.t.Context(), q)
	return b.holdRequest(name, r)
}

func (b *bench) holdRequest(name string, r *http.Request) <-chan reply {
	b.t.Helper()
	r.Header.Set("x-exchange", name)
	out := make(chan reply, 1)
	done := false
	go func() {
		out <- b.do(r)
		b.mu.Lock()
		defer b.mu.Unlock()
		done = true
		b.cond.Broadcast()
	}()
	b.until(name+" to be held", func() bool { return done || b.waiting[name] > 0 })
	return out
}

// answer takes what a held request got.
func (b *bench) answer(c <-chan reply) reply {
	b.t.Helper()
	select {
	case r := <-c:
		if r.err != nil {
			b.t.Fatal(r.err)
		}
		return r
	case <-time.After(patience):
		b.t.Fatal("a held request was not answered")
		return reply{}
	}
}

// with is q with other values.
func with(q url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// text is status and body.
func (r reply) text() string { return strconv.Itoa(r.status) + " " + r.body }
