package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// reader follows one feed from the beginning and believes nothing: an insert of
// a row that it has, or a change of one that it has not, is an error.
type reader struct {
	rows map[string]map[string]string
}

func (r *reader) apply(body string) error {
	var messages []struct {
		Key     string
		Value   map[string]*string
		Headers struct{ Operation, Control string }
	}
	if err := json.Unmarshal([]byte(body), &messages); err != nil {
		return err
	}
	for _, m := range messages {
		row, known := r.rows[m.Key]
		switch op := m.Headers.Operation; {
		case m.Headers.Control != "":
			continue
		case known == (op == "insert"):
			return fmt.Errorf("%s of %s, known is %v", op, m.Key, known)
		case op == "delete":
			delete(r.rows, m.Key)
			continue
		case op == "insert":
			row = map[string]string{}
			r.rows[m.Key] = row
		}
		for k, v := range m.Value {
			row[k] = "NULL"
			if v != nil {
				row[k] = *v
			}
		}
	}
	return nil
}

// follow reads a feed until stop says that it may end and it is up to date.
func (r *reader) follow(b *bench, q url.Values, stop func(reply) bool) error {
	for {
		got := b.do(b.request(context.Background(), q))
		if got.err != nil {
			return got.err
		}
		if got.status != 200 {
			return fmt.Errorf("%d %s", got.status, got.body)
		}
		if err := r.apply(got.body); err != nil {
			return err
		}
		_, done := got.header["Electric-Up-To-Date"]
		q = with(q, "handle", got.handle(), "offset", got.offset())
		if done {
			if stop(got) {
				return nil
			}
			q.Set("live", "true")
		}
	}
}

// TestReadersConverge makes feeds while rows are written, moved in and out of
// them, renamed and deleted by several sessions at once. Every reader must see
// each row's life without a gap or a repetition, and end with what the query
// gives.
func TestReadersConverge(t *testing.T) {
	b := newBench(t, Config{ChunkBytes: 2000, SnapshotMemory: 1000})
	const writers, steps, readers = 4, 150, 24
	tags := [][]string{{"x"}, {"x", "y"}, {"y"}, nil}
	b.exec(`ALTER TABLE "TaskRun" ADD COLUMN stamp int`)
	for i := range 40 {
		b.write(addRun, fmt.Sprintf("seed%d", i), "env", tags[i%len(tags)])
	}

	var wg sync.WaitGroup
	for w := range writers {
		conn, err := pgx.Connect(t.Context(), b.server.cfg.DatabaseURL)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer func() { _ = conn.Close(context.Background()) }()
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range steps {
				if err := writeSomething(conn, rnd, tags, fmt.Sprintf("w%d-%d", w, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	written := make(chan struct{})
	go func() {
		wg.Wait()
		close(written)
	}()

	var rd sync.WaitGroup
	results := make([]*reader, readers)
	feeds := []url.Values{tagFeed("env", "x"), tagFeed("env", "y"), tagFeed("env", "x", "y"), tagFeed("env")}
	for i := range readers {
		r := &reader{rows: map[string]map[string]string{}}
		results[i] = r
		// A column more or less makes another shape of the same feed, so that
		// snapshots are taken all the time.
		q := with(feeds[i%len(feeds)], "columns", []string{`"id","status","runTags","number"`, `"id","runTags"`, `"id","status"`, `"id","number"`, `"id"`, `"id","runTags","isTest"`}[i/len(feeds)])
		rd.Go(func() {
			err := r.follow(b, q, func(reply) bool {
				select {
				case <-written:
					return true
				default:
					return false
				}
			})
			if err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	// A last write wakes all readers once the others are done.
	<-written
	b.exec(addRun, "last", "env", []string{"x", "y"})
	rd.Wait()
	if t.Failed() {
		return
	}
	b.caughtUp()
	for i, q := range feeds {
		r := &reader{rows: map[string]map[string]string{}}
		if err := r.follow(b, with(q, "columns", `"id","status","runTags","number"`), func(reply) bool { return true }); err != nil {
			t.Fatal(err)
		}
		want := b.count(q)
		if len(r.rows) != want {
			t.Errorf("feed %d has %d rows, the query %d", i, len(r.rows), want)
		}
	}
}

// count is how many rows the query itself gives.
func (b *bench) count(q url.Values) (n int) {
	b.t.Helper()
	req, bad := parseRequest(q)
	if bad != nil {
		b.t.Fatal(bad)
	}
	s, err := loadTable(b.t.Context(), b.db, req.definition.table)
	if err != nil {
		b.t.Fatal(err)
	}
	bound, bad := bind(&req.definition, s)
	if bad != nil {
		b.t.Fatal(bad)
	}
	text, args := bound.sql()
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a
	}
	if err := b.db.QueryRow(b.t.Context(), `SELECT count(*) FROM (`+text+`) q`, values...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func writeSomething(conn *pgx.Conn, rnd *rand.Rand, tags [][]string, id string) error {
	ctx := context.Background()
	pick := func() []string { return tags[rnd.IntN(len(tags))] }
	const one = `(SELECT id FROM "TaskRun" ORDER BY md5(id || $1) LIMIT 1 FOR UPDATE SKIP LOCKED)`
	var err error
	switch rnd.IntN(8) {
	case 0, 1:
		_, err = conn.Exec(ctx, addRun, id, "env", pick())
	case 2, 3:
		_, err = conn.Exec(ctx, `UPDATE "TaskRun" SET "runTags" = $2 WHERE id = `+one, id, pick())
	case 4:
		_, err = conn.Exec(ctx, `UPDATE "TaskRun" SET status = 'EXECUTING', number = number + 1 WHERE id = `+one, id)
	case 5:
		_, err = conn.Exec(ctx, `DELETE FROM "TaskRun" WHERE id = `+one, id)
	case 6:
		_, err = conn.Exec(ctx, `UPDATE "TaskRun" SET id = id || 'r' WHERE id = `+one, id)
	case 7: // a transaction with several changes of one row, and a subtransaction
		b := &pgx.Batch{}
		b.Queue("BEGIN")
		b.Queue(addRun, id, "env", pick())
		b.Queue(`UPDATE "TaskRun" SET "runTags" = $2 WHERE id = $1`, id, pick())
		b.Queue("SAVEPOINT s")
		b.Queue(`UPDATE "TaskRun" SET number = 7 WHERE id = $1`, id)
		b.Queue("COMMIT")
		err = conn.SendBatch(ctx, b).Close()
	}
	return err
}
