package oracle

import (
	"context"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// act does something to one row, in a transaction.
func (w *writer) act(ctx context.Context, l *lane) error {
	r := w.rand
	switch n := r.IntN(100); {
	case n < 28:
		_, err := w.insert(ctx, l, w.draw())
		return err
	case n < 30 && len(w.free) > 0:
		return w.again(ctx, l)
	case n < 55:
		return w.change(ctx, l)
	case n < 68:
		return w.reselect(ctx, l)
	case n < 78:
		if row, ok := w.pick(l, true); ok {
			return w.remove(ctx, l, row)
		}
	case n < 84:
		return w.rekey(ctx, l)
	case n < 90:
		return w.move(ctx, l)
	case n < 94:
		return w.nothing(ctx, l)
	case n < 97 && !l.undone:
		return w.savepoint(ctx, l, func() error { return w.act(ctx, l) })
	default:
		for range 2 + r.IntN(12) {
			if _, err := w.insert(ctx, l, w.draw()); err != nil {
				return err
			}
		}
	}
	return nil
}

// draw makes up a new run.
func (w *writer) draw() facts {
	f := facts{table: runid.Tables()[w.rand.IntN(2)]}
	f.id = w.mint.Mint(f.table)
	f.friendly = runid.FormatRun(f.id)
	w.place(&f)
	return f
}

// place draws what feeds select by. Two of three runs are of the environment that
// most feeds are of; the others have the same tags, and its batch.
func (w *writer) place(f *facts) {
	r := w.rand
	f.env, f.batch, f.tags, f.old = w.world.envs[0].id, "", nil, chance(r, 8)
	if chance(r, 33) {
		f.env = w.world.envs[1].id
	}
	if chance(r, 50) {
		f.batch = w.world.envs[0].batch
	}
	if chance(r, 90) {
		f.tags = []string{}
		for _, i := range r.Perm(len(w.world.tags))[:r.IntN(len(w.world.tags)+1)] {
			f.tags = append(f.tags, w.world.tags[i])
		}
	}
}

// again uses the id of a run that was deleted.
func (w *writer) again(ctx context.Context, l *lane) error {
	i := w.rand.IntN(len(w.free))
	f := w.free[i]
	w.free = append(w.free[:i:i], w.free[i+1:]...)
	if w.rows[f.key()] != nil || w.locks[f.key()] != nil {
		return nil
	}
	f.friendly = runid.FormatRun(w.mint.Mint(f.table))
	w.place(&f)
	_, err := w.insert(ctx, l, f)
	return err
}

// change gives some columns other values.
func (w *writer) change(ctx context.Context, l *lane) error {
	row, ok := w.pick(l, false)
	if !ok {
		return nil
	}
	set := changes[w.rand.IntN(len(changes))](w.rand, w.settings.widest)
	_, err := w.update(ctx, l, row, row, set)
	return err
}

// reselect makes a row enter and leave feeds.
func (w *writer) reselect(ctx context.Context, l *lane) error {
	row, ok := w.pick(l, true)
	if !ok {
		return nil
	}
	next := row
	w.place(&next)
	var set []assign
	switch w.rand.IntN(5) {
	case 0, 1:
		next.env, next.batch, next.old = row.env, row.batch, row.old
		set = []assign{{"runTags", next.tags}}
	case 2:
		next.env, next.tags, next.old = row.env, row.tags, row.old
		set = []assign{{"batchId", batchValue(next)}}
	case 3:
		next.tags, next.batch, next.old = row.tags, row.batch, row.old
		set = []assign{{"runtimeEnvironmentId", next.env}}
	case 4:
		next.env, next.tags, next.batch = row.env, row.tags, row.batch
		next.old = !row.old
		created := time.Now().UTC()
		if next.old {
			created = created.Add(-72 * time.Hour)
		}
		set = []assign{{"createdAt", created}}
	}
	_, err := w.update(ctx, l, row, next, set)
	return err
}

// rekey gives a row another primary key, and sometimes the old one back.
func (w *writer) rekey(ctx context.Context, l *lane) error {
	row, ok := w.pick(l, true)
	if !ok {
		return nil
	}
	next := row
	next.id = w.mint.Mint(row.table)
	if chance(w.rand, 30) {
		w.place(&next)
		next.env, next.batch, next.old = row.env, row.batch, row.old
	}
	if _, err := w.update(ctx, l, row, next, []assign{{"id", next.id}, {"runTags", next.tags}}); err != nil {
		return err
	}
	if chance(w.rand, 20) {
		_, err := w.update(ctx, l, next, row, []assign{{"id", row.id}, {"runTags", row.tags}})
		return err
	}
	return nil
}

// move takes a row to the other table, under the same id or one of that table's.
func (w *writer) move(ctx context.Context, l *lane) error {
	row, ok := w.pick(l, true)
	if !ok {
		return nil
	}
	next := row
	next.table = runid.Tables()[1-int(row.table)]
	if chance(w.rand, 60) {
		next.id = w.mint.Mint(next.table)
	}
	if w.rows[next.key()] != nil || w.locks[next.key()] != nil {
		return nil // the id is taken there
	}
	if chance(w.rand, 50) {
		next.friendly = runid.FormatRun(w.mint.Mint(next.table))
	}
	if err := w.remove(ctx, l, row); err != nil {
		return err
	}
	_, err := w.insert(ctx, l, next)
	return err
}

// flood is one transaction that inserts n runs, then changes every other one and
// gives every third another key, with whatever wide values it has.
func (w *writer) flood(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	if err := w.endAll(ctx); err != nil {
		return err
	}
	l := w.lanes[0]
	if err := w.begin(ctx, l, false); err != nil {
		return err
	}
	made := make([]facts, n)
	for i := range made {
		made[i] = w.draw()
		if i%5 > 0 { // in all feeds of the environment that most are of
			made[i].env, made[i].batch, made[i].tags = w.world.envs[0].id, w.world.envs[0].batch, w.world.tags
		}
		if _, err := w.insert(ctx, l, made[i]); err != nil {
			return err
		}
	}
	for i, row := range made {
		if i%2 == 0 {
			set := changes[w.rand.IntN(len(changes))](w.rand, w.settings.widest)
			if _, err := w.update(ctx, l, row, row, set); err != nil {
				return err
			}
		}
		if i%3 == 0 {
			next := row
			next.id = w.mint.Mint(row.table)
			if _, err := w.update(ctx, l, row, next, []assign{{"id", next.id}}); err != nil {
				return err
			}
		}
	}
	return w.end(ctx, l)
}

// nothing writes a row as it is, or a column that no feed has.
func (w *writer) nothing(ctx context.Context, l *lane) error {
	row, ok := w.pick(l, false)
	if !ok {
		return nil
	}
	w.locks[row.key()] = l
	_, err := l.db.Exec(ctx, "UPDATE "+row.table.SQL()+" SET "+oneOf(w.rand, `"payload" = "payload"`, `"sdkVersion" = '4'`)+` WHERE "id" = $1`, row.id)
	return err
}

// truncate empties a table but for the runs that are followed, in a transaction
// of its own, while no other is open. Readers start over.
func (w *writer) truncate(ctx context.Context, l *lane, doomed bool) error {
	if err := w.begin(ctx, l, doomed); err != nil {
		return err
	}
	table := runid.Tables()[w.rand.IntN(2)]
	if _, err := l.db.Exec(ctx, "TRUNCATE "+table.SQL()); err != nil {
		return err
	}
	for _, key := range w.keys {
		if row := w.rows[key]; row.table == table {
			w.leave(l, *row)
		}
	}
	for _, row := range w.world.kept {
		if row.table == table {
			if _, err := w.insert(ctx, l, row); err != nil {
				return err
			}
		}
	}
	if !doomed {
		w.board.update(func(b *board) { b.rotated[table.Name()]++ })
	}
	return w.end(ctx, l)
}
