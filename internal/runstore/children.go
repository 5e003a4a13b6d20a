package runstore

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Child is what has to be known of a run to do to it what was done to its parent.
type Child struct {
	ID          string `db:"id"`
	Status      Status `db:"status"`
	ParentRunID string `db:"parentTaskRunId"`
}

// FindChildren reads the children of many runs, in either table, in one query and
// no order. It asks the primary: whoever asks acts upon them.
func (s *Store) FindChildren(ctx context.Context, environmentID string, parents []string) ([]Child, error) {
	q, args := Query{EnvironmentID: environmentID}, pgx.NamedArgs{"parents": orEmpty(parents)}
	var selects []string
	for _, table := range runid.Tables() {
		where := q.where(table, args, notSuperseded) + ` AND r."parentTaskRunId" = ANY(@parents::text[])`
		selects = append(selects, `SELECT r.id, r.status, r."parentTaskRunId" FROM public.`+table.SQL()+" r WHERE "+where)
	}
	rows, err := s.primary.Query(ctx, strings.Join(selects, " UNION ALL "), args)
	if err != nil {
		return nil, wrap("find children", err)
	}
	children, err := pgx.CollectRows(rows, pgx.RowToStructByName[Child])
	return children, wrap("find children", err)
}
