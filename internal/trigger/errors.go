package trigger

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// InvalidError says that a request cannot be carried out as it is.
type InvalidError struct {
	Field  string // as the API calls it, such as "options.tags"
	Reason string // continues a sentence that begins with the field

	// TooLarge says that the value would be right if it were smaller: the API's
	// 413 and not its 400.
	TooLarge bool

	err error
}

// Error holds nothing of the value.
func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Unwrap is the store's error, if the database refused the value.
func (e *InvalidError) Unwrap() error { return e.err }

// NotFoundError says that the environment does not have what a request names. It
// is runstore.ErrNotFound to errors.Is.
type NotFoundError struct {
	What string // "run", "parent run", "idempotency key"
}

// Error names no id.
func (e *NotFoundError) Error() string { return "there is no such " + e.What + " in this environment" }

// Unwrap is runstore.ErrNotFound.
func (e *NotFoundError) Unwrap() error { return runstore.ErrNotFound }

// StatusError says that a run cannot be changed so, because of the status it has.
type StatusError struct {
	Status runstore.Status
	Reason string
}

// Error says which status.
func (e *StatusError) Error() string { return fmt.Sprintf("%s: it is %s", e.Reason, e.Status) }

var (
	// ErrTokenUsed says that a run was triggered with the one-time-use token
	// before. Trying again does not help.
	ErrTokenUsed = errors.New("the one-time-use token was used before")

	// ErrBusy says that it could not be found out in time what another trigger
	// with the same key or token, or another change of the same metadata, comes
	// to, or whether this one's own row was written. The API's 503: the client tries
	// again, and gets the run of its key if there is one.
	ErrBusy = errors.New("another request with the same key or token is still at work")

	// ErrTokenBusy is the ErrBusy of a one-time-use token: of who waited for another with
	// it, or does not know whether its own row was written.
	ErrTokenBusy = fmt.Errorf("the one-time-use token is claimed: %w", ErrBusy)

	// ErrBuffered says that a parent was to wait for a run that is in the platform's
	// trigger buffer. A parent is resumed by a row, and there is none yet: the client
	// tries again, and gets the run when it has left the buffer.
	ErrBuffered = errors.New("the run of the key is still in the trigger buffer, and a parent cannot wait for it there")
)

// doubtError is an error after which the run may have been made.
type doubtError struct{ err error }

func (e *doubtError) Error() string { return e.err.Error() }
func (e *doubtError) Unwrap() error { return e.err }

// isDecided says that an error tells of a row that was not written: the database
// has refused it, or was not reached.
func isDecided(err error) bool {
	_, answered := errors.AsType[*pgconn.PgError](err)
	_, invalid := errors.AsType[*InvalidError](err)
	return answered || invalid || errors.Is(err, ErrTokenUsed) || pgconn.SafeToRetry(err)
}

// missing gives the store's ErrNotFound the name of what was looked for.
func missing(what string, err error) error {
	if errors.Is(err, runstore.ErrNotFound) {
		return &NotFoundError{What: what}
	}
	return err
}

func isMissing(err error) bool { return errors.Is(err, runstore.ErrNotFound) }
