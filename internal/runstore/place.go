package runstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// place is where a run stands among an environment's runs. It names no row: it
// stays good when the run is deleted, and for ever. There is nothing to expire,
// since nothing is kept for it, and what it leads to is asked for anew.
//
// As a text it is base64 of: a byte of version, which says also whether the run
// itself is meant, the milliseconds since 1970 in eight bytes, the run's id, and eight bytes of a hash over those, the
// environment and the order. The hash finds a text that was cut, edited, or made
// for another list. It keeps nothing secret: whoever computes it himself has
// another place in his own environment's list, which every statement names.
// Filters are not in it, because a place is one under any filter, and a list of
// "the last seven days" has another filter with each page.
type place struct {
	created time.Time
	id      string
	with    bool // the run itself, if there is one, is on the side that is asked for
}

const (
	placeVersion = 1
	placeWith    = 2 // the version of a place with its run
	placeHash    = 8
)

// PlaceError says that a text is not a place in the list that was asked for.
type PlaceError struct{ Reason string }

// Error does not quote the text.
func (e *PlaceError) Error() string {
	return "runstore: a page's place is refused: " + e.Reason + ": start again from the first page"
}

func placeOf(r Run) place { return place{created: r.CreatedAt, id: r.ID} }

func (p place) text(q Query) string {
	version := byte(placeVersion)
	if p.with {
		version = placeWith
	}
	b := binary.BigEndian.AppendUint64([]byte{version}, uint64(p.created.UnixMilli()))
	b = append(b, p.id...)
	return base64.RawURLEncoding.EncodeToString(append(b, hashOf(q, b)...))
}

func hashOf(q Query, b []byte) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64([]byte{byte(q.Order)}, uint64(len(q.EnvironmentID))))
	h.Write([]byte(q.EnvironmentID))
	h.Write(b)
	return h.Sum(nil)[:placeHash]
}

// place reads After or Before; nil for neither.
func (q Query) place() (*place, error) {
	text := or(q.After, q.Before)
	if text == "" {
		return nil, nil
	}
	const least, most = 1 + 8 + placeHash, 512
	if len(text) > most {
		return nil, &PlaceError{"it is too long"}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < least {
		return nil, &PlaceError{"it is none"}
	}
	if b[0] != placeVersion && b[0] != placeWith {
		return nil, &PlaceError{"it is of another version of this program"}
	}
	b, hash := b[:len(b)-placeHash], b[len(b)-placeHash:]
	if !bytes.Equal(hash, hashOf(q, b)) {
		return nil, &PlaceError{"it was changed, or made for another list"}
	}
	// The hash is no secret, so what it fits may be anything.
	p := place{time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:9]))).UTC(), string(b[9:]), b[0] == placeWith}
	if y := p.created.Year(); y < 1 || y > 9999 || !utf8.ValidString(p.id) || strings.ContainsRune(p.id, 0) {
		return nil, &PlaceError{"it names no run that could be"}
	}
	return &p, nil
}

// condition is that a row r is on the side of the place that is asked for.
func (p place) condition(o Order, backwards bool, args pgx.NamedArgs) string {
	args["placeAt"], args["placeId"] = p.created, p.id
	is := ">"
	if (o == NewestFirst) != backwards {
		is = "<"
	}
	if p.with {
		is += "="
	}
	return `(r."createdAt", r.id COLLATE "C") ` + is + ` (@placeAt, @placeId)`
}
