package platform

import (
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/auth"
)

// resetKey answers POST /v1/idempotencyKeys/{key}/reset: the key makes a new run
// from now on.
func (p *platform) resetKey(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enterWithKey(r)
	if err != nil {
		return err
	}
	key, err := textParam(r, "key", "key", maxKey)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxSmallBody, &issues)
	if err != nil {
		return err
	}
	task := body.text("taskIdentifier", maxName)
	if task == "" && len(issues) == 0 {
		body.wrong("taskIdentifier", "is empty")
	}
	if err := refused(issues); err != nil {
		return err
	}
	if err := who.Require(write, auth.Resource{Type: "runs"}, auth.Resource{Type: "tasks", ID: task}); err != nil {
		return err
	}
	if _, err := p.config.Trigger.ResetIdempotencyKey(r.Context(), who.Environment.ID, task, key); err != nil {
		return triggerError(err)
	}
	return answer(w, only{key})
}

// jwtClaims answers POST /v1/auth/jwt/claims: what an SDK puts into a token that it
// signs itself with its key.
func (p *platform) jwtClaims(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enterWithKey(r)
	if err != nil {
		return err
	}
	return answer(w, claimsOf(who))
}
