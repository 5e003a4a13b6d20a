package platform

import (
	"encoding/json"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// outcome is how a run ended, for SDKs that wait for it.
type outcome struct {
	OK             bool            `json:"ok"`
	ID             string          `json:"id"`
	TaskIdentifier string          `json:"taskIdentifier"`
	Output         *string         `json:"output,omitempty"`
	OutputType     string          `json:"outputType,omitempty"`
	Error          json.RawMessage `json:"error,omitempty"`
}

// outcomeOf says how a run ended; ok is false for one that has not.
func outcomeOf(run runstore.Run) (o outcome, ok bool) {
	o = outcome{ID: run.FriendlyID, TaskIdentifier: run.TaskIdentifier}
	switch {
	case run.Status == runstore.CompletedSuccessfully:
		o.OK, o.Output, o.OutputType = true, run.Output, run.OutputType
	case run.Status == runstore.Canceled:
		o.Error = internalError("TASK_RUN_CANCELLED")
	case !run.Status.Final():
		return outcome{}, false
	case len(run.Error) > 0:
		o.Error = run.Error
	default:
		o.Error = internalError("UNSPECIFIED_ERROR")
	}
	return o, true
}

// result answers GET /v1/runs/{run}/result. A run that goes on has no result,
// which SDKs take from a 404.
func (p *platform) result(w http.ResponseWriter, r *http.Request) error {
	run, err := p.openRun(r, p.enter)
	if err != nil {
		return err
	}
	o, over := outcomeOf(run)
	if !over {
		return notFound("Run either doesn't exist or is not finished", no)
	}
	return answer(w, o)
}
