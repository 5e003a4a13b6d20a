package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// maxBatch is how many runs a batch may have.
const maxBatch = 1000

// createdBatch is the answer to the first phase of a batch.
type createdBatch struct {
	ID             string `json:"id"`
	RunCount       int32  `json:"runCount"`
	IsCached       bool   `json:"isCached"`
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
}

// createBatch answers POST /v3/batches, the first phase of a batch: it is there,
// and has no runs yet.
func (p *platform) createBatch(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enterBatch(r)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxSmallBody*4, &issues)
	if err != nil {
		return err
	}
	body.required("runCount", "number")
	count := body.integer("runCount", 1, 1e9)
	tasks := body.texts("taskIdentifiers", maxName)
	slices.Sort(tasks)
	key := body.text("idempotencyKey", maxKey)
	in := family{Parent: body.text("parentRunId", 0), Waits: body.flag("resumeParentOnCompletion"), Tasks: slices.Compact(tasks)}
	if err := refused(issues); err != nil {
		return err
	}
	if err := tooMany(int(count)); err != nil {
		return err
	}
	if err := mayBatch(who, in.Tasks); err != nil {
		return err
	}
	if err := p.checkParent(r, who, in.Parent); err != nil {
		return err
	}
	batch, err := p.openOnce(r, who, count, key, in)
	if err != nil {
		return err
	}
	if err := p.grant(w, r, who, "read:batch:"+batch.FriendlyID); err != nil {
		return err
	}
	// Of a batch that is there but has no runs, because who made it did not come
	// back, the SDK has to send the items.
	return answer(w, createdBatch{batch.FriendlyID, batch.RunCount, batch.Sealed, key})
}

func tooMany(count int) error {
	if count <= maxBatch {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, retry: no,
		text: fmt.Sprintf("Batch size of %d is too large. Maximum allowed batch size is %d.", count, maxBatch)}
}

// enterBatch says who asks, and refuses who may trigger no task at all in a batch
// before anything is read: which tasks they are stands in the body.
func (p *platform) enterBatch(r *http.Request) (*auth.Principal, error) {
	who, err := p.enter(r)
	if err != nil {
		return nil, err
	}
	if !who.Scopes.MaySome(write, "tasks") && !who.Scopes.MaySome(batchTrigger, "tasks") {
		return nil, who.Require(batchTrigger, auth.Resource{Type: "tasks"})
	}
	return who, nil
}

// mayBatch says whether somebody may trigger these tasks in a batch, or any if
// none is named.
func mayBatch(who *auth.Principal, tasks []string) error {
	if len(tasks) == 0 {
		tasks = []string{""}
	}
	for _, task := range tasks {
		if err := mayTrigger(who, batchTrigger, task); err != nil {
			return err
		}
	}
	return nil
}

// checkParent refuses a parent that is no run of the environment.
func (p *platform) checkParent(r *http.Request, who *auth.Principal, parent string) error {
	if parent == "" {
		return nil
	}
	id, err := runid.ParseRun(parent)
	if err != nil {
		return triggerError(&trigger.InvalidError{Field: "parentRunId", Reason: "is not the id of a run, which reads run_<id>"}) // as for one run
	}
	_, err = p.config.Store.FindRefByFriendlyID(r.Context(), who.Environment.ID, id)
	if errors.Is(err, runstore.ErrNotFound) {
		return &refusal{status: http.StatusForbidden, text: "Unauthorized", retry: no}
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// family is what the runs of a batch have in common: the run that made them, and the
// tasks that the first phase named. It is kept with the batch between the phases.
type family struct {
	Parent string   `json:"parentRunId,omitempty"`
	Waits  bool     `json:"resumeParentOnCompletion,omitempty"`
	Tasks  []string `json:"taskIdentifiers,omitempty"`
}

func familyOf(batch runstore.Batch) (in family) {
	_ = json.Unmarshal(batch.Options, &in) // the platform keeps other things there
	return in
}

// openOnce opens a batch, unless an earlier try of the same call has done so.
func (p *platform) openOnce(r *http.Request, who *auth.Principal, count int32, key string, in family) (runstore.Batch, error) {
	about := who.Environment.ID + "\x00" + r.URL.Path
	mint := func() string { return p.mint.Mint(runid.Legacy) } // batches are in one table
	return p.batches.do(r, p.config.Now(), about, mint, func(ctx context.Context, id string) (runstore.Batch, error) {
		batch, err := p.openNewBatch(ctx, id, who, count, key, in)
		batch.Options, batch.RunIDs = nil, nil // they may be large, and are remembered for minutes
		return batch, err
	})
}

// openNewBatch makes an open batch, or finds the one that has its key, or its id by an
// earlier try.
func (p *platform) openNewBatch(ctx context.Context, id string, who *auth.Principal, count int32, key string, in family) (runstore.Batch, error) {
	options, err := json.Marshal(in)
	if err != nil {
		return runstore.Batch{}, err
	}
	n := runstore.NewBatch{
		ID: id, EnvironmentID: who.Environment.ID, RunCount: count, Open: true, Options: options,
	}
	if key != "" {
		n.IdempotencyKey = &key
	}
	if who.OneTimeUse != "" {
		n.OneTimeUseToken = &who.OneTimeUse
	}
	batch, err := p.config.Store.CreateBatch(ctx, n)
	if e, ok := errors.AsType[*runstore.UniqueError](err); ok {
		if own, err := p.findBatch(ctx, who, id); err == nil {
			return own, nil
		}
		switch e.Unique {
		case runstore.UniqueIdempotencyKey:
			batch, err = p.config.Store.FindBatchByIdempotencyKey(ctx, who.Environment.ID, key)
			if err == nil { // it may be another's, of other tasks, and who gets it may read it
				return batch, mayBatch(who, familyOf(batch).Tasks)
			}
		case runstore.UniqueOneTimeUseToken:
			return batch, triggerError(trigger.ErrTokenUsed)
		}
	}
	if err == nil {
		return batch, nil
	}
	if e := invalid(err); e != nil {
		return batch, e
	}
	return batch, unavailable(err)
}

// findBatch is the batch with an id.
func (p *platform) findBatch(ctx context.Context, who *auth.Principal, id string) (runstore.Batch, error) {
	friendly, err := runid.ParseBatch(runid.FormatBatch(id))
	if err != nil {
		return runstore.Batch{}, err // not reached: the id was minted
	}
	return p.config.Store.OnPrimary().FindBatchByFriendlyID(ctx, who.Environment.ID, friendly)
}
