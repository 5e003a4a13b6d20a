package gateway

import (
	"context"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// runFeedOf is the feed of a run, for whoever may read the run, its task, one of its tags
// or its batch. The run is looked up, but not for each poll: who may read it by its id, and
// shows by a place in its feed that it was found, is let in without.
func (g *gateway) runFeedOf(ctx context.Context, who *auth.Principal, id runid.Friendly, q *feedQuery) (*feeds.Feed, error) {
	skip := skipped(who, q)
	if who.May(read, auth.Resource{Type: "runs", ID: id.String()}) {
		place := feeds.Place{Handle: q.Handle, Offset: q.Offset}
		if feed := g.config.Feeds.FoundRun(who.Environment.ID, id, skip, place); feed != nil {
			return feed, nil
		}
	}
	run, err := g.config.Finder.FindRefByFriendlyID(ctx, who.Environment.ID, id)
	if err != nil {
		return nil, lookup(err, false)
	}
	resources := []auth.Resource{{Type: "runs", ID: run.FriendlyID}, {Type: "tasks", ID: run.TaskIdentifier}}
	for _, tag := range run.Tags {
		resources = append(resources, auth.Resource{Type: "tags", ID: tag})
	}
	if run.BatchFriendlyID != nil {
		resources = append(resources, auth.Resource{Type: "batch", ID: *run.BatchFriendlyID})
	}
	if err := who.Require(read, resources...); err != nil {
		return nil, err
	}
	if run.FriendlyID != runid.FormatRun(run.ID) {
		return g.config.Feeds.OldRun(who.Environment.ID, run.ID, skip), nil
	}
	return g.config.Feeds.Run(who.Environment.ID, run.ID, skip), nil
}
