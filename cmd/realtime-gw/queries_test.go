package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/metrics"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// questions counts the statements that pools send to Postgres, each with its
// arguments.
type questions struct {
	mu    sync.Mutex
	asked map[string]int
	since []string // the statements since the last take
}

// TraceQueryStart implements pgx's interface of a tracer.
func (q *questions) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked[fmt.Sprintf("%s %q", data.SQL, data.Args)]++
	q.since = append(q.since, data.SQL)
	return ctx
}

// take gives the statements since the last take.
func (q *questions) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	since := q.since
	q.since = nil
	return since
}

// TraceQueryEnd is the other half of the interface.
func (*questions) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (q *questions) pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = q
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// assembled serves what serve and dev put together, until the test ends.
func assembled(t *testing.T, database string, p parts) (origin string) {
	t.Helper()
	server, source, err := startEmbedded(t.Context(), database, pgtest.Slot(t), metrics.New(), nil, p.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEmbedded(context.Background(), server, p.log) })
	p.sources, p.keys, p.limit, p.metrics = []*electric.Client{source}, [][]byte{[]byte(goodKey)}, 1000, metrics.New()
	a, err := assemble(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, listener, a.drain(context.Background(), 0, nil)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// A poll costs no query: however many ask, with the environment's key or a token,
// each question about who they are is asked once in 30 seconds, and each about the
// run or the batch that they follow once in 5.
func TestPollsCostNoQuery(t *testing.T) {
	database, demo, pool := seeded(t)
	store, err := runstore.New(runstore.Config{Primary: pool})
	if err != nil {
		t.Fatal(err)
	}
	mint := runid.NewMinter(runid.MinterConfig{})
	batch, err := store.CreateBatch(t.Context(), runstore.NewBatch{ID: mint.Mint(runid.Legacy), EnvironmentID: demo.EnvironmentID})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"runs?tags=demo&", "batches/" + batch.FriendlyID + "?"}
	var runs []string
	for _, table := range runid.Tables() {
		r, err := store.Create(t.Context(), runstore.NewRun{
			ID: mint.Mint(table), EnvironmentID: demo.EnvironmentID, ProjectID: demo.ProjectID, TaskIdentifier: "task", Payload: "{}", TraceID: "t", SpanID: "s",
			Tags: []string{"demo"}, BatchID: &batch.ID,
		})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r.ID)
		paths = append(paths, "runs/"+r.FriendlyID+"?")
	}
	token, err := auth.Sign(auth.Key(demo.APIKey), auth.Token{
		EnvironmentID: demo.EnvironmentID, Scopes: []string{"read:runs", "read:batch", "read:tags"}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}

	asked := &questions{asked: make(map[string]int)}
	pools := []*pgxpool.Pool{asked.pool(t, database), asked.pool(t, database)}
	base := assembled(t, database, parts{primary: pools[0], replica: pools[1], log: zerolog.Nop()}) + "/realtime/v1/"
	began := time.Now()
	var polls [][2]string // target and credential
	for _, path := range paths {
		for _, credential := range []string{demo.APIKey, token} {
			at := must(t, base+path+"offset=-1", credential)
			if at.status != 200 || !strings.Contains(at.body, `"up-to-date"`) {
				t.Fatalf("%s: %d %s", path, at.status, at.body)
			}
			polls = append(polls, [2]string{base + path + "live=true&" + at.place(), credential})
		}
	}
	for i, table := range []string{`"TaskRun"`, `task_run_v2`} { // news for every poll from these places
		if _, err := pool.Exec(t.Context(), `UPDATE `+table+` SET metadata = '1' WHERE id = $1`, runs[i]); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		for _, poll := range polls {
			if got := must(t, poll[0], poll[1]); got.status != 200 || !strings.Contains(got.body, `"operation":"update"`) {
				t.Fatalf("%s: %d %s", poll[0], got.status, got.body)
			}
		}
	}
	took := time.Since(began)

	asked.mu.Lock()
	defer asked.mu.Unlock()
	if want := 2 + 1 + len(runs) + 1; len(asked.asked) != want {
		t.Errorf("there were %d questions, not %d: of a key, a token, a batch, %d runs, and where the environment has some", len(asked.asked), want, len(runs))
	}
	total := int64(0)
	for question, times := range asked.asked {
		total += int64(times)
		often := 5 * time.Second
		if strings.Contains(question, `"RuntimeEnvironment"`) {
			often = 30 * time.Second
		}
		if strings.Contains(question, "unnest") { // where the environment has runs is remembered for good
			often = time.Hour
		}
		if most := 1 + int(took/often); times > most {
			t.Errorf("in %v this was asked %d times, and not %d times:\n%s", took, times, most, question)
		}
	}
	// What goes by the tracer, such as a batch, takes a connection too.
	if taken := pools[0].Stat().AcquireCount() + pools[1].Stat().AcquireCount(); taken != total {
		t.Errorf("connections were taken %d times for %d statements", taken, total)
	}
}
