package oracle

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// writer changes the rows of a world in transactions that overlap. It runs on
// one goroutine and never waits for a lock: a row that one transaction has
// touched is left alone by the others until that one has ended.
type writer struct {
	settings settings
	world    *world
	history  *history
	board    *board
	rand     *rand.Rand
	mint     *runid.Minter
	lanes    []*lane
	number   int               // of the last state
	rows     map[string]*facts // committed
	keys     []string          // of rows, in an order that the seed decides
	locks    map[string]*lane
	free     []facts // what was deleted: ids to use again
}

// lane is a connection and what it is about to do.
type lane struct {
	db      *pgx.Conn
	open    bool
	xid     uint64
	doomed  bool              // the transaction will be rolled back
	undone  bool              // the savepoint will be
	rows    map[string]*facts // as the transaction left them; nil: gone
	deleted []facts
}

func newWriter(s settings, w *world, h *history, b *board, conns []*pgx.Conn) *writer {
	made := &writer{
		settings: s, world: w, history: h, board: b, rand: random(s.seed, 5),
		mint: runid.NewMinter(runid.MinterConfig{Now: birth, Source: rand.NewPCG(s.seed, 6)}),
		rows: make(map[string]*facts), locks: make(map[string]*lane),
	}
	for _, c := range conns {
		made.lanes = append(made.lanes, &lane{db: c})
	}
	return made
}

func (w *writer) begin(ctx context.Context, l *lane, doomed bool) error {
	*l = lane{db: l.db, open: true, doomed: doomed, rows: make(map[string]*facts)}
	if _, err := l.db.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := l.db.QueryRow(ctx, "SELECT pg_current_xact_id()::text::bigint").Scan(&l.xid); err != nil {
		return err
	}
	if doomed {
		w.history.doom(l.xid)
	}
	return nil
}

// end commits, or rolls back what was doomed.
func (w *writer) end(ctx context.Context, l *lane) error {
	word := "COMMIT"
	if l.doomed {
		word = "ROLLBACK"
	}
	if _, err := l.db.Exec(ctx, word); err != nil {
		return err
	}
	l.open = false
	for _, key := range slices.Sorted(maps.Keys(w.locks)) {
		if w.locks[key] == l {
			delete(w.locks, key)
		}
	}
	if !l.doomed {
		for _, key := range slices.Sorted(maps.Keys(l.rows)) {
			w.settle(key, l.rows[key])
		}
		w.free = append(w.free, l.deleted...)
	}
	w.board.update(func(b *board) { b.commits++ })
	return nil
}

// settle takes in one row of a transaction that was committed.
func (w *writer) settle(key string, row *facts) {
	_, had := w.rows[key]
	switch {
	case row == nil && had:
		delete(w.rows, key)
		w.keys = slices.DeleteFunc(w.keys, func(k string) bool { return k == key })
	case row != nil:
		w.rows[key] = row
		if !had {
			w.keys = append(w.keys, key)
		}
	}
}

// savepoint does something and takes it back.
func (w *writer) savepoint(ctx context.Context, l *lane, do func() error) error {
	rows, deleted := maps.Clone(l.rows), slices.Clone(l.deleted)
	if _, err := l.db.Exec(ctx, "SAVEPOINT s"); err != nil {
		return err
	}
	l.undone = true
	if err := do(); err != nil {
		return err
	}
	l.undone = false
	l.rows, l.deleted = rows, deleted
	_, err := l.db.Exec(ctx, "ROLLBACK TO s")
	return err
}

// pick chooses a row that the transaction may touch, or none.
func (w *writer) pick(l *lane, mayGo bool) (facts, bool) {
	var can []*facts
	for _, key := range w.keys {
		if owner := w.locks[key]; owner == nil {
			can = append(can, w.rows[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.rows)) {
		if row := l.rows[key]; row != nil {
			can = append(can, row)
		}
	}
	if mayGo {
		can = slices.DeleteFunc(can, func(f *facts) bool { return f.kept })
	}
	if len(can) == 0 {
		return facts{}, false
	}
	return *can[w.rand.IntN(len(can))], true
}

func (w *writer) insert(ctx context.Context, l *lane, f facts) (*state, error) {
	created := time.Now().UTC().Add(-time.Duration(w.rand.IntN(3600_000)) * time.Millisecond)
	if f.old {
		created = created.Add(-72 * time.Hour)
	}
	set := []assign{
		{"id", f.id}, {"friendlyId", f.friendly}, {"taskIdentifier", "task"}, {"payload", text(w.rand, w.settings.widest)},
		{"traceId", "t"}, {"spanId", "s"}, {"projectId", "proj"}, {"queue", "q"}, {"createdAt", created},
		{"runtimeEnvironmentId", f.env}, {"runTags", f.tags}, {"batchId", batchValue(f)},
	}
	return w.write(ctx, l, f, set, func(names, params string) string {
		return "INSERT INTO " + f.table.SQL() + " (" + names + ") VALUES (" + params + ")"
	})
}

func batchValue(f facts) any {
	if f.batch == "" {
		return nil
	}
	return f.batch
}

// update changes a row; what feeds select by becomes what next says.
func (w *writer) update(ctx context.Context, l *lane, was, next facts, set []assign) (*state, error) {
	s, err := w.write(ctx, l, next, set, func(names, params string) string {
		return "UPDATE " + was.table.SQL() + " SET (" + names + ") = ROW(" + params + `) WHERE "id" = '` + was.id + "'"
	})
	if err == nil && was.key() != next.key() {
		w.leave(l, was)
	}
	return s, err
}

// write runs an insert or update, and notes the state that it makes.
func (w *writer) write(ctx context.Context, l *lane, f facts, set []assign, statement func(names, params string) string) (*state, error) {
	w.number++
	set = append(set, assign{"number", w.number}, assign{"updatedAt", birth().Add(time.Duration(w.number) * time.Millisecond)})
	var names, params, texts []string
	var args []any
	for _, a := range set {
		args = append(args, a.value)
		names = append(names, pgx.Identifier{a.column}.Sanitize())
		params = append(params, fmt.Sprint("$", len(args)))
	}
	for _, c := range columns {
		texts = append(texts, pgx.Identifier{c}.Sanitize()+"::text")
	}
	sql := statement(strings.Join(names, ", "), strings.Join(params, ", ")) + " RETURNING ARRAY[" + strings.Join(texts, ", ") + "]"
	var list []*string
	if err := l.db.QueryRow(ctx, sql, args...).Scan(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	s := &state{facts: f, number: w.number, xid: l.xid, doomed: l.doomed || l.undone, values: make(values)}
	for i, c := range columns {
		s.values[c] = list[i]
	}
	w.history.add(s)
	l.rows[f.key()] = &f
	w.locks[f.key()] = l
	return s, nil
}

func (w *writer) remove(ctx context.Context, l *lane, f facts) error {
	sql := "DELETE FROM " + f.table.SQL() + ` WHERE "id" = $1`
	switch tag, err := l.db.Exec(ctx, sql, f.id); {
	case err != nil:
		return fmt.Errorf("%s: %w", sql, err)
	case tag.RowsAffected() != 1:
		return fmt.Errorf("%s: %s, of a row that should be there", sql, tag)
	}
	w.leave(l, f)
	l.deleted = append(l.deleted, f)
	return nil
}

// leave notes that a row is no longer there.
func (w *writer) leave(l *lane, f facts) {
	w.number++
	w.history.add(&state{facts: f, number: w.number, xid: l.xid, doomed: l.doomed || l.undone, gone: true})
	l.rows[f.key()] = nil
	w.locks[f.key()] = l
}
