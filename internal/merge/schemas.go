package merge

import (
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// mostSchemas is how many are remembered. Feeds with the same columns have the same, so
// that there are few until a table is altered.
const mostSchemas = 100

// schemas remembers what the headers of the sides came to: parsing them is a sixth of what
// it costs to begin with a small feed.
type schemas struct {
	mu     sync.Mutex
	merged map[schemasOf]string
}

type schemasOf struct {
	many    int
	headers [Sides]string
}

// merge is shapes.MergeSchemas for the headers of at most Sides sides.
func (s *schemas) merge(headers []string) (string, error) {
	of := schemasOf{many: len(headers)}
	copy(of.headers[:], headers)
	s.mu.Lock()
	known, ok := s.merged[of]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	merged, err := shapes.MergeSchemas(headers...)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.merged == nil || len(s.merged) >= mostSchemas {
		s.merged = map[schemasOf]string{}
	}
	s.merged[of] = merged
	return merged, nil
}
