package runstore

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

// FuzzPlace: whatever is sent for a place, either it is refused or it is the one text
// of what was read, in this list and no other. So it is of a text whose hash somebody
// has computed.
func FuzzPlace(f *testing.F) {
	created := time.Date(2026, 8, 21, 0, 0, 0, 123_000_000, time.UTC)
	for _, p := range []place{{created: created, id: "cm4x1"}, {created: created, id: "2NpZ", with: true}, {created: time.UnixMilli(9e15), id: "r\x00n"}} {
		q := Query{EnvironmentID: "env", Order: NewestFirst}
		b, err := base64.RawURLEncoding.DecodeString(p.text(q))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("env", uint8(NewestFirst), p.text(q), b[:len(b)-placeHash])
	}
	f.Fuzz(func(t *testing.T, environment string, order uint8, text string, unsigned []byte) {
		q := Query{EnvironmentID: environment, Order: Order(order)}
		signed := base64.RawURLEncoding.EncodeToString(append(unsigned[:len(unsigned):len(unsigned)], hashOf(q, unsigned)...))
		for _, text := range []string{text, signed} {
			if text == "" {
				continue // no place is asked for
			}
			for _, q := range []Query{{EnvironmentID: environment, Order: Order(order), After: text}, {EnvironmentID: environment, Order: Order(order), Before: text}} {
				p, err := q.place()
				var refused *PlaceError
				if err != nil {
					if !errors.As(err, &refused) {
						t.Fatal(err)
					}
					continue
				}
				if again := p.text(q); again != text {
					t.Fatalf("%q was read as %+v, which is written %q", text, p, again)
				}
				for _, another := range []Query{{EnvironmentID: environment + "x", Order: q.Order}, {EnvironmentID: environment, Order: q.Order + 1}} {
					if another.After = text; !errors.As(second(another.place()), &refused) {
						t.Fatalf("%q is a place in %+v, too", text, another)
					}
				}
			}
		}
	})
}

func second(_ *place, err error) error { return err }
