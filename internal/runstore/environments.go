package runstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

const environmentsWithRuns = `
	SELECT false, e FROM unnest($1::text[]) e WHERE EXISTS (SELECT FROM public."TaskRun" WHERE "runtimeEnvironmentId" = e)
	UNION ALL
	SELECT true, e FROM unnest($2::text[]) e WHERE EXISTS (SELECT FROM public.task_run_v2 WHERE "runtimeEnvironmentId" = e)`

// EnvironmentsWithRuns gives those of the environments asked for, by runid.Table,
// that have runs in that table. It asks the primary: who has just created a run
// must not be told that there is none.
func (s *Store) EnvironmentsWithRuns(ctx context.Context, asked [2][]string) (found [2][]string, err error) {
	rows, err := s.primary.Query(ctx, environmentsWithRuns, asked[runid.Legacy], asked[runid.V2])
	if err != nil {
		return found, wrap("look for runs", err)
	}
	var v2 bool
	var environment string
	_, err = pgx.ForEachRow(rows, []any{&v2, &environment}, func() error {
		table := runid.Legacy
		if v2 {
			table = runid.V2
		}
		found[table] = append(found[table], environment)
		return nil
	})
	return found, wrap("look for runs", err)
}
