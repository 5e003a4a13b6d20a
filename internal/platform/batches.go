package platform

import (
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// shownBatch is a batch as the API says it.
type shownBatch struct {
	ID             string               `json:"id"`
	Status         runstore.BatchStatus `json:"status"`
	IdempotencyKey *string              `json:"idempotencyKey,omitempty"`
	CreatedAt      instant              `json:"createdAt"`
	UpdatedAt      instant              `json:"updatedAt"`
	RunCount       int32                `json:"runCount"`
	Runs           []string             `json:"runs"`
	Processing     processing           `json:"processing"`
}

// processing is how the making of a batch's runs went. Here all are made in one
// request, or none is.
type processing struct {
	CompletedAt *instant   `json:"completedAt,omitempty"`
	Errors      []struct{} `json:"errors"`
}

// openBatch is the batch that a path names, for who may read it.
func (p *platform) openBatch(r *http.Request) (runstore.Batch, error) {
	who, err := p.enter(r)
	if err != nil {
		return runstore.Batch{}, err
	}
	id, err := batchParam(r)
	if err != nil {
		return runstore.Batch{}, err
	}
	batch, err := p.config.Store.FindBatchByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return runstore.Batch{}, lookup(err)
	}
	return batch, who.Require(read, auth.Resource{Type: "batch", ID: batch.FriendlyID})
}

// retrieveBatch answers GET /v1/batches/{batch} and /v2/batches/{batch}.
func (p *platform) retrieveBatch(w http.ResponseWriter, r *http.Request) error {
	batch, err := p.openBatch(r)
	if err != nil {
		return err
	}
	runs := batch.RunIDs
	if runs == nil {
		runs = []string{}
	}
	return answer(w, shownBatch{
		ID: batch.FriendlyID, Status: batch.Status, IdempotencyKey: batch.IdempotencyKey,
		CreatedAt: instant(batch.CreatedAt), UpdatedAt: instant(batch.UpdatedAt), RunCount: batch.RunCount, Runs: runs,
		Processing: processing{CompletedAt: instantOf(batch.SealedAt), Errors: []struct{}{}},
	})
}

// batchResults answers GET /v1/batches/{batch}/results: how those of the batch's
// runs ended that have.
func (p *platform) batchResults(w http.ResponseWriter, r *http.Request) error {
	batch, err := p.openBatch(r)
	if err != nil {
		return err
	}
	runs, err := p.config.Store.FindBatchRuns(r.Context(), batch)
	if err != nil {
		return unavailable(err)
	}
	items := []outcome{}
	for _, run := range runs {
		if o, over := outcomeOf(run); over {
			items = append(items, o)
		}
	}
	return answer(w, struct {
		ID    string    `json:"id"`
		Items []outcome `json:"items"`
	}{batch.FriendlyID, items})
}
