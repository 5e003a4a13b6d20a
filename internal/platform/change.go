package platform

import (
	"errors"
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// only is the answer of routes that say which run they were about.
type only struct {
	ID string `json:"id"`
}

// enterWithKey says who asks, where no public token may.
func (p *platform) enterWithKey(r *http.Request) (*auth.Principal, error) {
	who, err := p.enter(r)
	if err == nil && who.Public {
		err = &refusal{status: http.StatusUnauthorized, text: "Invalid API key", retry: no}
	}
	return who, err
}

// writeRun is the id of a run that a path names, for who may write it.
func (p *platform) writeRun(r *http.Request, enter func(*http.Request) (*auth.Principal, error)) (who *auth.Principal, id string, err error) {
	if who, err = enter(r); err != nil {
		return nil, "", err
	}
	friendly, err := runParam(r)
	if err != nil {
		return nil, "", err
	}
	ref, err := p.config.Store.FindRefByFriendlyID(r.Context(), who.Environment.ID, friendly)
	if err != nil {
		return nil, "", changeError(err)
	}
	err = who.Require(write, auth.Resource{Type: "runs", ID: ref.FriendlyID}, auth.Resource{Type: "tasks", ID: ref.TaskIdentifier})
	return who, ref.FriendlyID, err
}

// changeError is triggerError for routes that change a run.
func changeError(err error) error {
	if _, ok := errors.AsType[*trigger.NotFoundError](err); ok || errors.Is(err, runstore.ErrNotFound) {
		return notFound("Run not found", no)
	}
	if errors.Is(err, trigger.ErrBusy) { // there is no key
		return &refusal{status: http.StatusServiceUnavailable, text: "Others are changing the same run: try again", after: time.Second, cause: err}
	}
	return triggerError(err)
}

// cancel answers POST /v2/runs/{run}/cancel: the run and all below it. A run that
// is over stays as it is, and that is no error.
func (p *platform) cancel(w http.ResponseWriter, r *http.Request) error {
	who, id, err := p.writeRun(r, p.enter)
	if err != nil {
		return err
	}
	if _, err := p.config.Trigger.Cancel(r.Context(), who.Environment.ID, id, ""); err != nil {
		return changeError(err)
	}
	return answer(w, only{id})
}

// reschedule answers POST /v1/runs/{run}/reschedule.
func (p *platform) reschedule(w http.ResponseWriter, r *http.Request) error {
	who, id, err := p.writeRun(r, p.enterWithKey)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxSmallBody, &issues)
	if err != nil {
		return err
	}
	body.required("delay", "string")
	until := body.delay("delay", p.config.Now())
	if err := refused(issues); err != nil {
		return err
	}
	run, err := p.config.Trigger.Reschedule(r.Context(), who.Environment.ID, id, until)
	if err != nil {
		return changeError(err)
	}
	return p.answerRun(r.Context(), w, run, wordsFor(r))
}
