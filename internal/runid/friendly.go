package runid

import (
	"fmt"
	"strings"
)

// Kind says what a friendly id names.
type Kind uint8

// The kinds of friendly id that this project meets.
const (
	Run Kind = iota
	Batch
)

// String is the kind's prefix in a friendly id, without the underscore.
func (k Kind) String() string {
	if k == Batch {
		return "batch"
	}
	return "run"
}

// maxIDLength bounds the part after the underscore. The platform's own ids
// have 21 to 27 characters; the bound keeps a hostile one out of statements,
// logs and metrics.
const maxIDLength = 64

// Friendly is a friendly id that was parsed. Its zero value names nothing.
// It is comparable.
type Friendly struct {
	kind Kind
	id   string
}

// Kind says what the id names.
func (f Friendly) Kind() Kind { return f.kind }

// Suffix is the part after the underscore: the row's id, but for the oldest
// runs, whose friendly id says nothing about it.
func (f Friendly) Suffix() string { return f.id }

// Home is the table of the run that the id names. A run whose friendly id does
// not hold its id is old, and so at home in Legacy, which is what its friendly
// id says too. Batches are in one table of their own: for them it means nothing.
func (f Friendly) Home() Table { return Home(f.id) }

// String is the friendly id itself, "run_<id>" or "batch_<id>".
func (f Friendly) String() string { return f.kind.String() + "_" + f.id }

// FormatRun is the friendly id that a run with this id gets when it is made.
func FormatRun(id string) string { return Friendly{kind: Run, id: id}.String() }

// FormatBatch is the friendly id that a batch with this id gets when it is made.
func FormatBatch(id string) string { return Friendly{kind: Batch, id: id}.String() }

// ParseRun reads "run_<id>". Any other text is a *FormatError.
func ParseRun(s string) (Friendly, error) { return parse(Run, s) }

// ParseBatch reads "batch_<id>". Any other text is a *FormatError.
func ParseBatch(s string) (Friendly, error) { return parse(Batch, s) }

// parse is strict about what follows the prefix: exactly one underscore, as the
// platform has it, and letters, digits and dashes, which every generation of
// ids is made of. What passes is safe in a statement's parameter (Postgres
// refuses a NUL in text) and in a log.
func parse(kind Kind, s string) (Friendly, error) {
	id, ok := strings.CutPrefix(s, kind.String()+"_")
	if !ok {
		return Friendly{}, &FormatError{Kind: kind, Value: s, Reason: "has no such prefix"}
	}
	switch {
	case id == "":
		return Friendly{}, &FormatError{Kind: kind, Value: s, Reason: "is empty after the prefix"}
	case len(id) > maxIDLength:
		return Friendly{}, &FormatError{Kind: kind, Value: s, Reason: "is too long"}
	}
	for i := range len(id) {
		if c := id[i]; !isAlphanumeric(c) && c != '-' {
			return Friendly{}, &FormatError{Kind: kind, Value: s, Reason: "holds something other than letters, digits and dashes"}
		}
	}
	return Friendly{kind: kind, id: id}, nil
}

// FormatError says why a text is not a friendly id of the kind asked for.
type FormatError struct {
	Kind   Kind
	Value  string // the whole text, of any length, as it came from outside
	Reason string
}

// Error quotes the text and shortens it.
func (e *FormatError) Error() string {
	const most = 40
	v := e.Value
	if len(v) > most {
		v = v[:most] + "..."
	}
	return fmt.Sprintf("%q is not the id of a %s, which reads %s_<id>: it %s", v, e.Kind, e.Kind, e.Reason)
}
