package main

import (
	"context"
	"fmt"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// addRuns makes n finished runs of an environment with a tag in a table, and gives their
// ids. The payload is JSON, whose quotes are escaped in the feed; a row is about 1.3 kB there.
func (l *lab) addRuns(ctx context.Context, table runid.Table, environment, tag string, n int) ([]string, error) {
	mint := runid.NewMinter(runid.MinterConfig{})
	ids := make([]string, n)
	for i := range ids {
		ids[i] = mint.Mint(table)
	}
	_, err := l.pool.Exec(ctx, `
		INSERT INTO public.`+table.SQL()+` (id, "friendlyId", number, engine, status, "runtimeEnvironmentId", "projectId", "organizationId",
			"environmentType", "taskIdentifier", payload, "traceId", "spanId", queue, "runTags",
			"createdAt", "updatedAt", "queuedAt", "startedAt", "completedAt", "usageDurationMs", metadata, output)
		SELECT id, 'run_' || id, n, 'V2', 'COMPLETED_SUCCESSFULLY', $2, $3, $4, 'DEVELOPMENT', 'process-order',
			'{"order":"' || md5(id) || '","items":[' || repeat('{"sku":"' || left(md5('s' || id), 12) || '","quantity":3,"price":"19.99","note":"leave it at the door, please"},', 3)
				|| '{}]}',
			md5('t' || id), left(md5('p' || id), 16), 'task/process-order', ARRAY[$5, 'customer-' || n % 500],
			now() - n * interval '1 millisecond', now(), now(), now(), now(), n % 60000, '{"progress":100}', '{"ok":true,"total":"59.97"}'
		FROM unnest($1::text[]) WITH ORDINALITY AS new (id, n)`,
		ids, environment, l.demo.ProjectID, l.demo.OrganizationID, tag)
	if err != nil {
		return nil, fmt.Errorf("make %d runs in %s: %w", n, table.Name(), err)
	}
	return ids, nil
}

// vacuum does what Postgres would do by itself, in the middle of what is measured.
func (l *lab) vacuum(ctx context.Context) error {
	for _, t := range sides {
		if _, err := l.pool.Exec(ctx, "VACUUM ANALYZE public."+t.SQL()); err != nil {
			return fmt.Errorf("vacuum %s: %w", t.Name(), err)
		}
	}
	return nil
}
