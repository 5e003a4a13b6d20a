package main

import (
	"context"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// runTables are the tables, in the order of the feeds' sides.
var runTables = [2]runid.Table{runid.Legacy, runid.V2}

// The tags of the two feeds.
const (
	liveTag = "live" // few runs, which commits change
	bulkTag = "bulk" // many, which nobody changes
)

func (st *stack) seed(ctx context.Context, bulk int) (err error) {
	const live = 20 // in each table
	for i, t := range runTables {
		if st.changed[i], err = st.addRuns(ctx, t, liveTag, live, 3); err != nil {
			return err
		}
		if _, err := st.addRuns(ctx, t, bulkTag, bulk, 3); err != nil {
			return err
		}
		// Else Postgres does it by itself, in the middle of what is measured.
		if _, err := st.pool.Exec(ctx, "VACUUM ANALYZE public."+t.SQL()); err != nil {
			return fmt.Errorf("vacuum %s: %w", t.Name(), err)
		}
	}
	return nil
}

// addRuns makes n finished runs with a tag in a table, and gives their ids. The
// payload is JSON, whose quotes are escaped in the feed, with so many items of
// about 120 bytes.
func (st *stack) addRuns(ctx context.Context, table runid.Table, tag string, n, items int) ([]string, error) {
	mint := runid.NewMinter(runid.MinterConfig{})
	ids := make([]string, n)
	for i := range ids {
		ids[i] = mint.Mint(table)
	}
	_, err := st.pool.Exec(ctx, `
		INSERT INTO public.`+table.SQL()+` (id, "friendlyId", number, engine, status, "runtimeEnvironmentId", "projectId", "organizationId",
			"environmentType", "taskIdentifier", payload, "traceId", "spanId", queue, "runTags",
			"createdAt", "updatedAt", "queuedAt", "startedAt", "completedAt", "usageDurationMs", metadata, output)
		SELECT id, 'run_' || id, n, 'V2', 'COMPLETED_SUCCESSFULLY', $2, $3, $4, 'DEVELOPMENT', 'process-order',
			'{"order":"' || md5(id) || '","items":[' || repeat('{"sku":"' || left(md5('s' || id), 12) || '","quantity":3,"price":"19.99","note":"leave it at the door, please"},', $6)
				|| '{}]}',
			md5('t' || id), left(md5('p' || id), 16), 'task/process-order', ARRAY[$5, 'customer-' || n % 500],
			now() - n * interval '1 millisecond', now(), now(), now(), now(), n % 60000, '{"progress":100}', '{"ok":true,"total":"59.97"}'
		FROM unnest($1::text[]) WITH ORDINALITY AS new (id, n)`,
		ids, st.demo.EnvironmentID, st.demo.ProjectID, st.demo.OrganizationID, tag, items)
	if err != nil {
		return nil, fmt.Errorf("make %d runs in %s: %w", n, table.Name(), err)
	}
	return ids, nil
}
