package gateway

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

const read = "read" // the action that every subscription needs

// run serves the feed of one run. Whoever may read the run, its task, one of its
// tags or its batch may follow it.
func (g *gateway) run(w http.ResponseWriter, r *http.Request) error {
	who, err := g.config.Auth.Authenticate(r.Context(), r.Header)
	if err != nil {
		return err
	}
	id, err := runid.ParseRun(chi.URLParam(r, "run"))
	if err != nil {
		return paramsError(wrong("runId", "is not a run's id: run_ and letters and digits"))
	}
	q, err := parseQuery(runFeed, r.URL.RawQuery)
	if err != nil {
		return err
	}
	run, err := g.config.Finder.FindRefByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return lookup(err, false)
	}
	resources := []auth.Resource{{Type: "runs", ID: run.FriendlyID}, {Type: "tasks", ID: run.TaskIdentifier}}
	for _, tag := range run.Tags {
		resources = append(resources, auth.Resource{Type: "tags", ID: tag})
	}
	if run.BatchFriendlyID != nil {
		resources = append(resources, auth.Resource{Type: "batch", ID: *run.BatchFriendlyID})
	}
	if err := who.Require(read, resources...); err != nil {
		return err
	}
	return g.serve(w, r, who, g.config.Feeds.Run(who.Environment.ID, run.ID, skipped(who, q)), q)
}

// batch serves the feed of the runs of a batch.
func (g *gateway) batch(w http.ResponseWriter, r *http.Request) error {
	who, err := g.config.Auth.Authenticate(r.Context(), r.Header)
	if err != nil {
		return err
	}
	id, err := runid.ParseBatch(chi.URLParam(r, "batch"))
	if err != nil {
		return paramsError(wrong("batchId", "is not a batch's id: batch_ and letters and digits"))
	}
	q, err := parseQuery(batchFeed, r.URL.RawQuery)
	if err != nil {
		return err
	}
	batch, err := g.config.Finder.FindBatchByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return lookup(err, true)
	}
	if err := who.Require(read, auth.Resource{Type: "batch", ID: batch.FriendlyID}, auth.Resource{Type: "runs"}); err != nil {
		return err
	}
	return g.serve(w, r, who, g.config.Feeds.Batch(who.Environment.ID, batch.ID, skipped(who, q)), q)
}

// tags serves the feed of the runs with all of the tags. Who may read any one
// of them may follow it: the others only narrow it. Without tags it is the feed
// of all runs, which the platform opens to whoever may read every tag, too.
func (g *gateway) tags(w http.ResponseWriter, r *http.Request) error {
	who, err := g.config.Auth.Authenticate(r.Context(), r.Header)
	if err != nil {
		return err
	}
	q, err := parseQuery(tagFeed, r.URL.RawQuery)
	if err != nil {
		return err
	}
	resources := []auth.Resource{{Type: "runs"}, {Type: "tags"}}
	for _, tag := range q.Tags {
		resources = append(resources, auth.Resource{Type: "tags", ID: tag})
	}
	if err := who.Require(read, resources...); err != nil {
		return err
	}
	feed, err := g.config.Feeds.Tags(who.Environment.ID, q.Tags, q.CreatedWithin, skipped(who, q))
	if tooLong, ok := errors.AsType[*feeds.TooLong](err); ok {
		return queryError(wrong("tags", tooLong.Error()))
	}
	if err != nil {
		return err
	}
	return g.serve(w, r, who, feed, q)
}

// lookup is the answer if a run or batch was not found. A database that fails
// is not a 404: clients take that as final.
func lookup(err error, retry bool) error {
	if errors.Is(err, runstore.ErrNotFound) {
		return notFound(retry)
	}
	return unavailable(err)
}

// skipped are the columns left out: what the token says goes before what the
// request wishes.
func skipped(who *auth.Principal, q *feedQuery) []string {
	if who.SkipColumns != nil {
		return who.SkipColumns
	}
	return q.SkipColumns
}
