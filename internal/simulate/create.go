package simulate

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// create makes a run of a performance.
func (s *Simulation) create(ctx context.Context, p *performance, i int) error {
	c, a := p.story.roles[i], &p.runs[i]
	if a.id == "" {
		a.id = s.mint.Mint(c.table)
		s.number++
	}
	r := runstore.NewRun{
		ID: a.id, Number: s.number,
		OrganizationID: s.owner.organization, ProjectID: s.owner.project, EnvironmentID: s.owner.environment, EnvironmentType: "DEVELOPMENT",
		TaskIdentifier: c.task, Payload: payload(c), PlanType: &c.plan, Tags: c.tags, MaxAttempts: ptr(int32(3)),
		TraceID: s.hex(16), SpanID: s.hex(8),
	}
	if c.ttl != "" {
		r.TTL = &c.ttl
	}
	if p.story.batch {
		if p.batch == nil {
			a.gone = true // without its batch there is nothing to be part of
			return nil
		}
		r.BatchID = &p.batch.ID
	}
	if c.parent >= 0 {
		parent := &p.runs[c.parent]
		if !parent.alive() {
			a.gone = true // a parent that is over triggers nothing
			return nil
		}
		// Stories are two generations deep: the parent is the root.
		r.ParentRunID, r.RootRunID, r.Depth = &parent.run.ID, &parent.run.ID, 1
		r.ParentSpanID, r.ResumeParentOnCompletion, r.TraceID = &parent.run.SpanID, true, parent.run.TraceID
	}
	run, err := s.store.Create(ctx, r)
	if isThere(err) {
		// An earlier try was committed, though its answer did not arrive.
		a.run = runstore.Run{FriendlyID: runid.FormatRun(a.id)}
		return s.look(ctx, a)
	}
	if err == nil {
		a.run = run
	}
	return err
}

// openBatch makes the batch of a performance, with the runs that it will have.
func (s *Simulation) openBatch(ctx context.Context, p *performance) error {
	if p.batchID == "" {
		p.batchID = s.mint.Mint(runid.Legacy)
	}
	ids := make([]string, len(p.runs))
	for i := range p.runs {
		if p.runs[i].id == "" {
			p.runs[i].id = s.mint.Mint(p.story.roles[i].table)
			s.number++
		}
		ids[i] = runid.FormatRun(p.runs[i].id)
	}
	batch, err := s.store.CreateBatch(ctx, runstore.NewBatch{
		ID: p.batchID, EnvironmentID: s.owner.environment, RunIDs: ids, RunCount: int32(len(ids)),
	})
	if isThere(err) {
		id, parseErr := runid.ParseBatch(runid.FormatBatch(p.batchID))
		if parseErr != nil {
			return parseErr
		}
		batch, err = s.store.FindBatchByFriendlyID(ctx, s.owner.environment, id)
	}
	if err == nil {
		p.batch = &batch
	}
	return err
}

// closeBatch notes how the runs of a batch ended.
func (s *Simulation) closeBatch(ctx context.Context, p *performance) error {
	if p.batch == nil {
		return nil
	}
	o := runstore.BatchOutcome{Status: runstore.BatchCompleted}
	for i := range p.runs {
		if p.runs[i].run.Status == runstore.CompletedSuccessfully {
			o.Successful++
		} else {
			o.Failed++
		}
	}
	if o.Failed > 0 {
		o.Status = runstore.BatchPartialFailed
	}
	_, err := s.store.CompleteBatch(ctx, p.batch.Key(), o)
	if err == nil {
		p.batch = nil
	}
	return err
}

func isThere(err error) bool {
	var unique *runstore.UniqueError
	return errors.As(err, &unique) && (unique.Unique == runstore.UniqueID || unique.Unique == runstore.UniqueFriendlyID)
}

// hex is so many random bytes, at most 16, as OpenTelemetry writes ids.
func (s *Simulation) hex(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], s.rand.Uint64())
	return hex.EncodeToString(b[:n])
}
