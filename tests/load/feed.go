package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// sides are the tables, in the order of the feeds' sides.
var sides = [2]runid.Table{runid.Legacy, runid.V2}

// feed is a tag that nothing else uses, and a run of each table that has it. What many
// commits have made of a feed that was used before would be read by all who join it.
type feed struct {
	tag string
	ids [2]string
}

func (l *lab) feed(ctx context.Context) (f feed, err error) {
	l.feeds++
	f.tag = fmt.Sprint("load-", l.feeds)
	for i, t := range sides {
		ids, err := l.addRuns(ctx, t, l.demo.EnvironmentID, f.tag, 1)
		if err != nil {
			return f, err
		}
		f.ids[i] = ids[0]
	}
	return f, nil
}

// via is the feed at a gateway.
func (l *lab) via(gateway *child, tag string) target {
	return target{gateway.addr, fmt.Sprintf("/realtime/v1/runs?tags=%s&createdAt=%dd&", tag, window/(24*time.Hour)), l.demo.APIKey}
}

// direct are the feed's two shapes at an upstream: what a client has to follow without
// the gateway. They are spelled as the gateway spells them, so that both read the same.
func (l *lab) direct(upstream, tag string) [2]target {
	bucket := int64(window / 24 / time.Second)
	floor := time.Now().Add(-window).Unix()
	floor -= floor % bucket
	var columns map[string]json.RawMessage
	_ = json.Unmarshal([]byte(l.columns), &columns) // learn has looked at it
	var targets [2]target
	for i, table := range [2]shapes.Table{shapes.LegacyTable, shapes.V2Table} {
		def := shapes.Define(table, slices.Collect(maps.Keys(columns)),
			shapes.Equal("runtimeEnvironmentId", l.demo.EnvironmentID),
			shapes.ContainsAll("runTags", []string{tag}),
			shapes.After("createdAt", time.Unix(floor, 0)))
		targets[i] = target{addr: upstream, path: "/v1/shape?" + def.Query() + "&"}
	}
	return targets
}

// learn asks a gateway for the columns that feeds have.
func (l *lab) learn(ctx context.Context, gateway *child) error {
	c := newClient(l.via(gateway, "nothing"))
	defer c.close()
	if _, err := c.catchUp(ctx); err != nil {
		return err
	}
	l.columns = string(c.schema)
	var columns map[string]json.RawMessage
	if err := json.Unmarshal(c.schema, &columns); err != nil || len(columns) == 0 {
		return fmt.Errorf("the gateway's electric-schema header names no columns: %q", l.columns)
	}
	return nil
}

// change makes a commit, and says when it was sent.
type change func(ctx context.Context) (sent time.Time, err error)

// commit gives the number of the next commit, which changes a feed's run of one side, and
// what makes it.
func (l *lab) commit(f feed, side int) (int, change) {
	return l.update(sides[side], f.ids[side])
}

func (l *lab) update(table runid.Table, id string) (int, change) {
	l.commits++
	n := l.commits
	return n, func(ctx context.Context) (sent time.Time, err error) {
		tx, err := l.pool.Begin(ctx)
		if err != nil {
			return sent, err
		}
		_, err = tx.Exec(ctx, "UPDATE public."+table.SQL()+` SET metadata = $2, "updatedAt" = now() WHERE id = $1`, id, "commit "+number(n))
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the first error is the one to tell
			return sent, err
		}
		sent = time.Now()
		return sent, tx.Commit(ctx)
	}
}
