package simulate

import (
	"context"
	"errors"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// pulse keeps a batch of two runs going, one in each table, both with Tag. Every
// second each of them gets new metadata.
type pulse struct {
	performance
	every time.Duration
	due   time.Time
	turns int // seconds of its life
}

// pulseRate is how many rows a pulse changes in a second.
const pulseRate = 2

// opening is how the runs of a pulse begin. They have no end.
func opening() *story {
	s := &story{batch: true, beats: []beat{{run: -1, do: openBatch}}}
	for i, table := range runid.Tables() {
		s.roles = append(s.roles, role{table: table, parent: -1, task: tasks[i].name, user: 1, plan: "pro", tags: []string{Tag, "user_1", "plan:pro"}})
		s.act(i, 0, []beat{{do: create}, {do: lock}, {do: start}})
	}
	return s
}

// lost says that a part of it is over or was deleted by someone.
func (p *pulse) lost() bool {
	return p.batch == nil || !p.runs[runid.Legacy].alive() || !p.runs[runid.V2].alive()
}

// beatPulse is one turn of it. A pulse that lost a run, to a TRUNCATE perhaps,
// ends what it has left and begins anew.
func (s *Simulation) beatPulse(ctx context.Context, p *pulse, now time.Time) error {
	if p.story != nil && p.over() && p.lost() {
		if err := s.abandon(ctx, &p.performance); err != nil {
			return err
		}
		p.story = nil
	}
	if p.story == nil {
		p.performance, p.turns = *newPerformance(opening(), now), 0
	}
	if !p.over() {
		if err := s.perform(ctx, &p.performance, now); err != nil {
			return err
		}
		if !p.lost() {
			if err := s.announce(p); err != nil {
				return err
			}
		}
	}
	// It goes round and round: there is no end to come to.
	const round = 60
	p.turns++
	done := float64(p.turns%round) / round
	for i := range p.runs {
		err := s.do(ctx, &p.performance, beat{run: i, do: progress, done: done})
		if errors.Is(err, runstore.ErrNotFound) {
			p.runs[i].gone = true
			err = nil
		}
		if err != nil {
			return err
		}
	}
	p.due = now.Add(p.every)
	if p.lost() {
		p.due = now // begin anew at once
	}
	return nil
}

// announce makes Current name the pulse.
func (s *Simulation) announce(p *pulse) error {
	batch, err := runid.ParseBatch(p.batch.FriendlyID)
	if err != nil {
		return err
	}
	legacy, err := runid.ParseRun(p.runs[runid.Legacy].run.FriendlyID)
	if err != nil {
		return err
	}
	v2, err := runid.ParseRun(p.runs[runid.V2].run.FriendlyID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.current = Current{Batch: batch, Legacy: legacy, V2: v2}
	s.mu.Unlock()
	s.once.Do(func() { close(s.ready) })
	return nil
}
