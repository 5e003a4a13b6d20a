package platform

import (
	"context"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// attemptHeader names a call of an SDK, the same for all its tries.
const attemptHeader = "X-Trigger-Request-Idempotency-Key"

// once triggers, unless an earlier try of the same call has done so: its answer may
// have been lost on the way.
func (p *platform) once(r *http.Request, request trigger.Request) (triggered, error) {
	about := request.Environment.ID + "\x00" + request.Task + "\x00" + request.ReplayedFrom
	mint := func() string { return p.config.Trigger.NewID(request.Environment.OrganizationID) }
	return p.triggers.do(r, p.config.Now(), about, mint, func(ctx context.Context, id string) (triggered, error) {
		request.ID = id
		made, err := p.config.Trigger.Trigger(ctx, request)
		return triggered{made.FriendlyID, made.IsCached}, err
	})
}
