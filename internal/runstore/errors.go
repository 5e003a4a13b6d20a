package runstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotFound says that the environment has no such run or batch. It is tested
// for with errors.Is.
var ErrNotFound = errors.New("not found in this environment")

// ErrTooSlow says that Postgres gave up a list after Config.ListTime. It is tested for
// with errors.Is. The same list is as slow when it is asked for again.
var ErrTooSlow = errors.New("it took longer than a list may take: narrow it, by a period or a tag")

// InvalidError says that a value cannot be stored or asked for: before the
// database is asked, where that can be known, and else when it refused.
type InvalidError struct {
	What   string
	Reason string
	err    error
}

// Error holds no value that came from outside.
func (e *InvalidError) Error() string { return "runstore: " + e.What + " is refused: " + e.Reason }

// Unwrap is the driver's error, if the database was asked.
func (e *InvalidError) Unwrap() error { return e.err }

// Unique is what a unique index keeps apart. The indexes of the two run tables
// have different names for the same thing.
type Unique uint8

// The unique indexes of runs and batches.
const (
	UniqueOther           Unique = iota // an index that the platform's schema does not have
	UniqueID                            // the primary key
	UniqueFriendlyID                    // over one table; the other table's ids have another format
	UniqueIdempotencyKey                // (environment, task, key) for runs, (environment, key) for batches
	UniqueOneTimeUseToken               // a one-time token was used before
)

// UniqueError says that a row of the same table has the same value already.
type UniqueError struct {
	Unique     Unique
	Constraint string // the index's own name
	err        error
}

// Error names the index and not the value.
func (e *UniqueError) Error() string {
	return fmt.Sprintf("a row with the same value is there already (%s)", e.Constraint)
}

// Unwrap is the driver's error.
func (e *UniqueError) Unwrap() error { return e.err }

// refusal is the reason for which Postgres refused a value, by its code, or ""
// for other errors.
func refusal(code string) string {
	switch code {
	case "22021": // character_not_in_repertoire
		return "a text holds a NUL character or is not UTF-8"
	case "22P05": // untranslatable_character
		return "a JSON text holds \\u0000, which Postgres cannot keep"
	case "22P02": // invalid_text_representation
		return "a text is not JSON, or is none of its column's values"
	case "22003": // numeric_value_out_of_range
		return "a number is out of range"
	case "22008": // datetime_field_overflow
		return "a time is out of range"
	case "54001": // statement_too_complex
		return "a value is nested too deeply"
	case "54000": // program_limit_exceeded
		return "a value is too long for its index"
	}
	return ""
}

// wrap gives an error of the driver its meaning here.
func wrap(doing string, err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrNotFound
	case errors.As(err, &pg) && pg.Code == "23505": // unique_violation
		err = &UniqueError{Unique: uniqueOf(pg.ConstraintName), Constraint: pg.ConstraintName, err: err}
	case pg != nil && refusal(pg.Code) != "":
		return &InvalidError{What: "what was given to " + doing, Reason: refusal(pg.Code), err: err}
	}
	return fmt.Errorf("runstore: %s: %w", doing, err)
}

// uniqueOf reads an index's name. Postgres makes the names of a table's indexes
// from its columns' and cuts them at 63 bytes, so a part has to do.
func uniqueOf(constraint string) Unique {
	switch {
	case strings.HasSuffix(constraint, "_pkey"):
		return UniqueID
	case strings.Contains(constraint, "friendlyId"):
		return UniqueFriendlyID
	case strings.Contains(constraint, "oneTimeUseToken"):
		return UniqueOneTimeUseToken
	case strings.Contains(constraint, "idempotency"):
		return UniqueIdempotencyKey
	}
	return UniqueOther
}
