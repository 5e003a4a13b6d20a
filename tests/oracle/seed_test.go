package oracle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// play runs the world of a seed to its end, and gives what was found first, a
// *violation, or nil.
func play(t *testing.T, s settings, broken faults) error {
	t.Helper()
	_, err := playAndCount(t, s, broken)
	return err
}

// playAndCount is play, and says what has happened.
func playAndCount(t *testing.T, s settings, broken faults) (counts map[string]int, err error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w := newWorld(t, s)
	p := &player{t: t, settings: s, world: w, board: newBoard(cancel), history: newHistory(), db: w.connect(t)}
	p.fleet = newFleet(t, s, w, p.board, broken)
	p.writer = newWriter(s, w, p.history, p.board, []*pgx.Conn{w.connect(t), w.connect(t), w.connect(t)})
	err = p.play(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what a reader found goes before what came of it
	}
	cancel(nil)
	p.readers.Wait()
	t.Log(p.board.counts)
	return p.board.counts, err
}

// player leads one world through its phases.
type player struct {
	t        *testing.T
	settings settings
	world    *world
	board    *board
	history  *history
	fleet    *fleet
	writer   *writer
	db       *pgx.Conn // reads the truth

	all     []*reader
	readers sync.WaitGroup
}

func (p *player) play(ctx context.Context) error {
	w := p.writer
	if err := w.begin(ctx, w.lanes[0], false); err != nil {
		return err
	}
	for _, f := range p.world.kept {
		if _, err := w.insert(ctx, w.lanes[0], f); err != nil {
			return err
		}
	}
	if err := w.end(ctx, w.lanes[0]); err != nil {
		return err
	}
	late := p.cast(ctx)
	if err := p.castClients(ctx); err != nil {
		return err
	}
	deaths := random(p.settings.seed, 10)
	for phase := range p.settings.phases {
		death := deaths.IntN(p.settings.transactions) // one at least in each phase
		for i := range p.settings.transactions {
			if p.settings.takeovers && i == death {
				p.fleet.replace(deaths.IntN(8), false)
			}
			if len(late) > 0 && (phase > 0 || i*len(late) > w.rand.IntN(1+p.settings.transactions)) {
				p.admit(ctx, late[0])
				late = late[1:]
			}
			if err := p.transaction(ctx); err != nil {
				return fmt.Errorf("phase %d: %w", phase, err)
			}
		}
		if err := w.flood(ctx, p.settings.bulk); err != nil {
			return fmt.Errorf("phase %d: %w", phase, err)
		}
		if err := p.reckon(ctx); err != nil {
			return fmt.Errorf("phase %d: %w", phase, err)
		}
	}
	return nil
}

// cast makes the readers and starts some. The others come later.
func (p *player) cast(ctx context.Context) (late []*reader) {
	feeds := p.world.feeds(p.t, p.settings)
	r := random(p.settings.seed, 7)
	first := len(feeds)
	for range p.settings.extraReaders {
		feeds = append(feeds, feeds[r.IntN(first)])
	}
	for i, f := range feeds {
		made := &reader{
			name: fmt.Sprintf("reader %d of %s", i, f.name), feed: f, settings: p.settings, board: p.board, fleet: p.fleet,
			history: p.history, rand: random(p.settings.seed, uint64(100+i)), at: start, held: newHeld(f, p.history),
			client: &http.Client{Transport: &http.Transport{}},
		}
		made.habits = drawHabits(made.rand)
		if chance(r, 35) {
			late = append(late, made)
		} else {
			p.admit(ctx, made)
		}
	}
	return late
}

// castClients starts the clients of npm on some feeds, and returns when each is up to date and so
// goes on over a stream: a gateway that is killed in the middle of an answer that is
// none ends a subscription for good.
func (p *player) castClients(ctx context.Context) error {
	if len(p.settings.npm) == 0 {
		return nil
	}
	var all []*reader
	feeds := p.world.feeds(p.t, p.settings)
	random(p.settings.seed, 9).Shuffle(len(feeds), func(i, j int) { feeds[i], feeds[j] = feeds[j], feeds[i] })
	for _, f := range feeds[:3] {
		for i, module := range p.settings.npm {
			f.modern = false
			r := &reader{
				name: module + " of " + f.name, feed: f, settings: p.settings, board: p.board, fleet: p.fleet,
				history: p.history, rand: random(p.settings.seed, uint64(200+i)), held: newHeld(f, p.history),
			}
			all = append(all, r)
			p.readers.Go(func() { r.runClient(ctx, p.t, module) })
		}
	}
	p.all = append(p.all, all...)
	late := p.board.wait(ctx, p.settings.patience, func(*board) bool {
		return !slices.ContainsFunc(all, func(r *reader) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return !r.held.upToDate
		})
	})
	if !late && ctx.Err() == nil {
		return &violation{kind: lost, text: "a client of npm was never up to date"}
	}
	return context.Cause(ctx)
}

func (p *player) admit(ctx context.Context, r *reader) {
	p.all = append(p.all, r)
	p.readers.Go(func() { r.run(ctx) })
}

// transaction lets the writer make one step: a transaction from begin to end, or
// a part of one that is held open while others commit.
func (p *player) transaction(ctx context.Context) error {
	w := p.writer
	r := w.rand
	if p.settings.takeovers && chance(r, 15) {
		p.fleet.replace(r.IntN(8), chance(r, 40))
	}
	if p.settings.truncates && chance(r, 6) {
		if err := w.endAll(ctx); err != nil {
			return err
		}
		return w.truncate(ctx, w.lanes[0], chance(r, 20))
	}
	l := w.lanes[r.IntN(len(w.lanes))]
	if !l.open {
		if err := w.begin(ctx, l, chance(r, 20)); err != nil {
			return err
		}
	}
	for range 1 + r.IntN(5) {
		if err := w.act(ctx, l); err != nil {
			return err
		}
	}
	if chance(r, 70) {
		if err := w.end(ctx, l); err != nil {
			return err
		}
	}
	p.pace(ctx)
	return ctx.Err()
}

// pace lets the readers have a few answers between two transactions, or none.
func (p *player) pace(ctx context.Context) {
	n := p.writer.rand.IntN(6) - 2
	var answers int
	p.board.look(func(b *board) { answers = b.answers })
	p.board.wait(ctx, 15*time.Millisecond, func(b *board) bool { return b.answers >= answers+n })
}

// endAll ends every transaction that is open.
func (w *writer) endAll(ctx context.Context) error {
	for _, l := range w.lanes {
		if l.open {
			if err := w.end(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// sentinels puts a row into each table for each environment that all feeds select,
// changes the runs that are followed, and returns when it is committed. Other
// transactions may be open.
func (w *writer) sentinels(ctx context.Context) (targets []*state, err error) {
	// Before the first sentinel: nothing else may be committed after it.
	for _, f := range w.world.kept {
		if owner := w.locks[f.key()]; owner != nil {
			if err := w.end(ctx, owner); err != nil {
				return nil, err
			}
		}
	}
	var l *lane
	for _, l = range w.lanes {
		if !l.open {
			break
		}
	}
	if l.open {
		if err := w.end(ctx, l); err != nil {
			return nil, err
		}
	}
	tables := runid.Tables()
	if chance(w.rand, 50) {
		tables[0], tables[1] = tables[1], tables[0]
	}
	for i, table := range tables {
		if i == 0 || chance(w.rand, 50) { // one transaction over both tables, or two
			if i > 0 {
				if err := w.end(ctx, l); err != nil {
					return nil, err
				}
			}
			if err := w.begin(ctx, l, false); err != nil {
				return nil, err
			}
		}
		for _, env := range w.world.envs {
			f := facts{table: table, id: w.mint.Mint(table), env: env.id, tags: w.world.tags, batch: env.batch}
			f.friendly = runid.FormatRun(f.id)
			s, err := w.insert(ctx, l, f)
			if err != nil {
				return nil, err
			}
			targets = append(targets, s)
		}
	}
	for _, f := range w.world.kept {
		s, err := w.update(ctx, l, f, f, nil)
		if err != nil {
			return nil, err
		}
		targets = append(targets, s)
	}
	return targets, w.end(ctx, l)
}

// reckon ends a phase: every reader has to get to the sentinels, and to hold then
// what Postgres selects.
func (p *player) reckon(ctx context.Context) error {
	p.board.update(func(b *board) { b.closing = true })
	defer p.board.update(func(b *board) { b.closing = false })
	targets, err := p.writer.sentinels(ctx)
	if err != nil {
		return err
	}
	truth := make(map[*feed]map[string]values)
	for _, r := range p.all {
		if truth[r.feed] == nil {
			if truth[r.feed], err = r.feed.selectRows(ctx, p.db); err != nil {
				return err
			}
		}
	}
	pending := p.all
	var wrong *violation
	ok := p.board.wait(ctx, p.settings.patience, func(*board) bool {
		var left []*reader
		for _, r := range pending {
			arrived, v := r.judge(targets, truth[r.feed])
			if v != nil {
				wrong = v
				return true
			}
			if !arrived {
				left = append(left, r)
			}
		}
		pending = left
		return len(pending) == 0
	})
	switch {
	case wrong != nil:
		return wrong
	case ok:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	late := &violation{kind: lost, reader: pending[0].name, text: fmt.Sprintf("has not got to the sentinels within %s", p.settings.patience)}
	for _, r := range pending {
		late.text += "\n  " + r.name + "\n" + strings.Join(r.tracks(), "\n")
	}
	return late
}

// asViolation gives what was found in an error of play.
func asViolation(err error) *violation {
	v, _ := errors.AsType[*violation](err)
	return v
}
