package platform

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// retrieved is a run with all that the API says of it.
type retrieved struct {
	related
	Payload      json.RawMessage `json:"payload,omitempty"`
	Output       json.RawMessage `json:"output,omitempty"`
	Error        *shownError     `json:"error,omitempty"`
	AttemptCount int32           `json:"attemptCount"`
	Attempts     []struct{}      `json:"attempts"` // always empty: the platform keeps the member for its old SDKs
	RelatedRuns  relatives       `json:"relatedRuns"`
}

type relatives struct {
	Root     *related  `json:"root,omitempty"`
	Parent   *related  `json:"parent,omitempty"`
	Children []related `json:"children"`
}

// retrieve answers GET /v3/runs/{run}.
func (p *platform) retrieve(w http.ResponseWriter, r *http.Request) error {
	run, err := p.openRun(r, p.enter)
	if err != nil {
		return err
	}
	return p.answerRun(r.Context(), w, run, wordsFor(r))
}

// answerRun sends a run and its family.
func (p *platform) answerRun(ctx context.Context, w http.ResponseWriter, run runstore.Run, words vocabulary) error {
	kin, err := p.config.Store.FindFamily(ctx, run)
	if err != nil {
		return unavailable(err)
	}
	in, err := p.batchesOf(ctx, run, kin)
	if err != nil {
		return unavailable(err)
	}
	out := retrieved{
		related: relatedOf(run, in, words), Payload: valueOf(run.Payload, run.PayloadType), Error: shown(run.Error),
		Attempts: []struct{}{}, RelatedRuns: relatives{Children: []related{}},
	}
	if run.Status == runstore.CompletedSuccessfully && run.Output != nil {
		out.Output = valueOf(*run.Output, run.OutputType)
	}
	if run.AttemptNumber != nil {
		out.AttemptCount = *run.AttemptNumber
	}
	if kin.Root != nil {
		root := relatedOf(*kin.Root, in, words)
		out.RelatedRuns.Root = &root
	}
	if kin.Parent != nil {
		parent := relatedOf(*kin.Parent, in, words)
		out.RelatedRuns.Parent = &parent
	}
	for _, child := range kin.Children {
		out.RelatedRuns.Children = append(out.RelatedRuns.Children, relatedOf(child, in, words))
	}
	return answer(w, out)
}
