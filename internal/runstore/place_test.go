package runstore

import (
	"errors"
	"testing"
	"time"
)

// A place whose hash somebody has computed names a run that could be, or is refused.
func TestPlacesThatCannotBe(t *testing.T) {
	q := Query{EnvironmentID: "env", Order: NewestFirst}
	now := time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		p    place
		good bool
	}{
		"a run":         {place{created: now, id: "run"}, true},
		"with its run":  {place{created: now, id: "run", with: true}, true},
		"a long ago":    {place{created: time.UnixMilli(-9e15), id: "run"}, false},
		"a far future":  {place{created: time.UnixMilli(9e15), id: "run"}, false},
		"NUL":           {place{created: now, id: "r\x00n"}, false},
		"not UTF-8":     {place{created: now, id: "r\xffn"}, false},
		"the first day": {place{created: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), id: "run"}, true},
	} {
		q.After = c.p.text(q)
		got, err := q.place()
		var refused *PlaceError
		if c.good && (err != nil || *got != c.p) || !c.good && !errors.As(err, &refused) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
