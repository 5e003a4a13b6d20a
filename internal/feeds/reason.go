package feeds

import (
	"errors"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Reason is why a client has to start over: one word of a few.
type Reason string

// The reasons. The first two are the upstream's, the others the cursor's.
const (
	ShapeGone     Reason = "shape_gone"     // the upstream has another shape of the definition now
	OutOfBounds   Reason = "out_of_bounds"  // it has the shape, and not so much of it
	ForeignCursor Reason = "foreign_cursor" // of another feed, environment or key, or no cursor at all
	CursorVersion Reason = "cursor_version" // of a release that this one cannot read
	UnfitPlace    Reason = "unfit_place"    // ours, but no place in this feed: no floor, or another offset
)

// Reasons are all of them.
var Reasons = [...]Reason{ShapeGone, OutOfBounds, ForeignCursor, CursorVersion, UnfitPlace}

func reasonOf(cause error) Reason {
	if rotated, ok := errors.AsType[*shapes.Rotated](cause); ok {
		if rotated.OutOfBounds {
			return OutOfBounds
		}
		return ShapeGone
	}
	switch {
	case errors.Is(cause, cursor.ErrForeign):
		return ForeignCursor
	case errors.Is(cause, cursor.ErrVersion):
		return CursorVersion
	}
	return UnfitPlace
}
