package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/replication"
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
			switch {
			case v == nil:
				row[k] = "NULL"
			case k == "isTest": // t and f in the log, true and false in a snapshot
				row[k] = map[string]string{"t": "true", "f": "false", "true": "true", "false": "false"}[*v]
			default:
				row[k] = *v
			}
		}
	}
	return nil
}

// follow reads a feed until it is up to date and stop says that it may end.
func (r *reader) follow(ctx context.Context, b *bench, q url.Values, stop func() bool) error {
	for {
		got := b.do(b.request(ctx, q))
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
			if stop() {
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
	const lastKey = `"public"."TaskRun"/"last"`
	tags := [][]string{{"x"}, {"x", "y"}, {"y"}, nil}
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var rd sync.WaitGroup
	results := make([]*reader, readers)
	var queries []url.Values
	feeds := []url.Values{tagFeed("env", "x"), tagFeed("env", "y"), tagFeed("env", "x", "y"), tagFeed("env")}
	for i := range readers {
		r := &reader{rows: map[string]map[string]string{}}
		results[i] = r
		// A column more or less makes another shape of the same feed, so that
		// snapshots are taken all the time.
		q := with(feeds[i%len(feeds)], "columns", []string{`"id","status","runTags","number"`, `"id","runTags"`, `"id","status"`, `"id","number"`, `"id"`, `"id","runTags","isTest"`}[i/len(feeds)])
		queries = append(queries, q)
		rd.Go(func() {
			err := r.follow(ctx, b, q, func() bool { return r.rows[lastKey] != nil })
			if err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	// The last write is in every feed: who has it has read all.
	wg.Wait()
	b.exec(addRun, "last", "env", []string{"x", "y"})
	rd.Wait()
	if t.Failed() {
		return
	}
	for i, r := range results {
		if want := b.rows(queries[i]); !maps.EqualFunc(r.rows, want, maps.Equal) {
			t.Errorf("reader %d of %v ends with %d rows, the query gives %d%s", i, queries[i], len(r.rows), len(want), firstDifference(r.rows, want))
		}
	}
}

func firstDifference(got, want map[string]map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !maps.Equal(got[key], want[key]) {
			return fmt.Sprintf("; %s is %v, should be %v", key, got[key], want[key])
		}
	}
	return ""
}

// rows is what the query itself gives, by key, as a reader would have it.
func (b *bench) rows(q url.Values) map[string]map[string]string {
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
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	result := b.db.PgConn().ExecParams(b.t.Context(), text, values, nil, nil, nil).Read()
	if result.Err != nil {
		b.t.Fatal(result.Err)
	}
	out := map[string]map[string]string{}
	for _, r := range result.Rows {
		row, tuple := map[string]string{}, replication.Tuple{}
		for i, v := range r {
			tuple = append(tuple, replication.Value{Text: string(v), Null: v == nil})
			row[bound.names[i]] = string(v)
			if v == nil {
				row[bound.names[i]] = "NULL"
			}
		}
		out[bound.encoder.key(tuple)] = row
	}
	return out
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
