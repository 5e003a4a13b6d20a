package gateway

import (
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Headers by which the platform's SDKs say how old they are. Electric's own
// clients send neither.
const (
	electricVersion = "X-Trigger-Electric-Version" // since SDK 3.3; its value says nothing
	apiVersion      = "X-Trigger-Api-Version"      // since SDK 4
)

// statusVersion is the first API version whose clients know the status DEQUEUED.
const statusVersion = "2025-07-16"

// formerNames are the names that headers had for client 0.6.3, which SDK 3.1 and
// early 3.2 hold.
var formerNames = map[string]string{
	"Electric-Handle":     "Electric-Shape-Id",
	"Electric-Offset":     "Electric-Chunk-Last-Offset",
	"Electric-Cursor":     "Electric-Next-Cursor",
	"Electric-Up-To-Date": "Electric-Chunk-Up-To-Date",
}

// dialect is what an answer owes to the age of its client.
type dialect struct {
	// formerNames: the headers go out under their former names too. The platform
	// sends those alone to a client that does not say its version; but Electric's
	// own clients do not either, and want the new ones.
	formerNames bool
	// formerStatus: a run that is DEQUEUED is called EXECUTING, as it was before
	// there was that status.
	formerStatus bool
}

func dialectOf(h http.Header) dialect {
	return dialect{
		formerNames:  h.Get(electricVersion) == "",
		formerStatus: !knowsStatus(h.Get(apiVersion)),
	}
}

// knowsStatus compares versions, which are dates. What is no date is as good as
// none: so it is on the platform.
func knowsStatus(version string) bool {
	_, err := time.Parse(time.DateOnly, version)
	return err == nil && version >= statusVersion
}

// head completes the headers of an answer.
func (d dialect) head(h http.Header) {
	if !d.formerNames {
		return
	}
	for name, former := range formerNames {
		if values := h[name]; values != nil {
			h[former] = values
		}
	}
}

// body has the rows of a batch written as the client knows them.
func (d dialect) body(batch *feeds.Batch) {
	if recast := d.recast(); recast != nil {
		batch.Recast(recast)
	}
}

// recast gives the rows of an answer as the client knows them, or nil if it
// knows them as they are.
func (d dialect) recast() func(rows []byte) []byte {
	if !d.formerStatus {
		return nil
	}
	return func(rows []byte) []byte {
		return shapes.Substitute(rows, "status", "DEQUEUED", "EXECUTING")
	}
}
