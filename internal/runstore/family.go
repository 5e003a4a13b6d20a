package runstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Family is what a run is related to, in its own environment and in either
// table. Its runs are without what may be large (Query.WithoutLarge).
type Family struct {
	Root     *Run // nil for none, and where the pointer leads nowhere or abroad
	Parent   *Run // likewise
	Children []Run
}

// FindFamily reads a run's root, parent and children, in one query. The pointers
// are plain values: a parent that is in another environment, or is no more, is
// none, and a run of another environment that names this one is no child.
// Children are in the order of their creation.
func (s *Store) FindFamily(ctx context.Context, of Run) (Family, error) {
	var up []string
	for _, id := range []*string{of.RootRunID, of.ParentRunID} {
		if id != nil {
			up = append(up, *id)
		}
	}
	runs, err := s.selectEither(ctx, "find a run's family", of.EnvironmentID, true,
		`(r.id = ANY(@up) OR r."parentTaskRunId" = @id)`, pgx.NamedArgs{"up": orEmpty(up), "id": of.ID})
	var family Family
	for i, run := range runs {
		if of.RootRunID != nil && run.ID == *of.RootRunID {
			family.Root = &runs[i]
		}
		if of.ParentRunID != nil && run.ID == *of.ParentRunID {
			family.Parent = &runs[i]
		}
		if run.ParentRunID != nil && *run.ParentRunID == of.ID {
			family.Children = append(family.Children, run)
		}
	}
	slices.SortFunc(family.Children, oldestFirst)
	return family, err
}

// FindBatchRuns reads the runs of a batch, whole, in one query: those that name
// the batch, and those that the batch names, which another made earlier under
// the same idempotency key. They are in the batch's order; those that it does
// not name follow, in the order of their creation.
func (s *Store) FindBatchRuns(ctx context.Context, b Batch) ([]Run, error) {
	position := map[string]int{}
	for i, id := range b.RunIDs {
		position[id] = i - len(b.RunIDs)
	}
	runs, err := s.selectEither(ctx, "find a batch's runs", b.EnvironmentID, false,
		`(r."batchId" = @batch OR r."friendlyId" = ANY(@named))`, pgx.NamedArgs{"named": orEmpty(b.RunIDs), "batch": b.ID})
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(cmp.Compare(position[a.FriendlyID], position[b.FriendlyID]), oldestFirst(a, b))
	})
	return runs, err
}

// oldestFirst is the order that OldestFirst has in a database.
func oldestFirst(a, b Run) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}
