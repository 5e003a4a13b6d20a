package embedded

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pgSnapshot is what pg_current_snapshot() says: which transactions a snapshot
// sees. Its ids are 64 bits wide, epoch included.
type pgSnapshot struct {
	xmin uint64   // all before it have ended
	xmax uint64   // none from it on has
	xip  []uint64 // those between the two that had not ended
}

// parsePgSnapshot reads "xmin:xmax:xip,xip".
func parsePgSnapshot(s string) (pgSnapshot, error) {
	var out pgSnapshot
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return out, fmt.Errorf("%q is not a snapshot", s)
	}
	var err error
	if out.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return out, fmt.Errorf("xmin of a snapshot: %w", err)
	}
	if out.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return out, fmt.Errorf("xmax of a snapshot: %w", err)
	}
	if parts[2] == "" {
		return out, nil
	}
	for _, p := range strings.Split(parts[2], ",") {
		x, err := strconv.ParseUint(p, 10, 64)
		if err != nil {
			return out, fmt.Errorf("xip of a snapshot: %w", err)
		}
		out.xip = append(out.xip, x)
	}
	return out, nil
}

// sees says whether the committed transaction with this 32-bit id is visible in
// the snapshot. The id's epoch is that which puts it nearest to xmax: Postgres
// itself never lets ids live further apart than 2^31.
func (s pgSnapshot) sees(xid uint32) bool {
	full := s.xmax + uint64(int64(int32(xid-uint32(s.xmax))))
	switch {
	case full < s.xmin:
		return true
	case full >= s.xmax:
		return false
	}
	return !slices.Contains(s.xip, full)
}
