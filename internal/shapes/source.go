package shapes

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Position is a place in one shape: what a reader sends to go on from there.
// A zero Position is the beginning of a shape that nobody was told of yet.
type Position struct {
	Handle string
	Offset Offset
}

// Progress is how far a reader has come in one shape.
type Progress struct {
	// Opened is set once the reader has asked for the shape at all. A side of
	// a feed that is not opened costs nothing upstream.
	Opened bool
	Position
	// UpToDate says that the last answer, the one that named Position, told
	// the reader that there was nothing beyond it. Silence and faults do not
	// change it.
	UpToDate bool
}

// Source answers readers of shapes. Implementations are safe for concurrent
// use. The errors of both methods are *Rotated, *Unavailable, *Refused, or the
// context's; where shapes are shared among environments *Limited, too.
type Source interface {
	// Read asks for what follows pos, and is answered at once. The caller
	// closes the Page.
	Read(ctx context.Context, def *Definition, pos Position) (*Page, error)
	// Wait asks for what follows pos, and is held until there is something,
	// or until the upstream's own patience ends: then News has no rows and
	// pos unchanged. BeforeAll cannot be waited at.
	Wait(ctx context.Context, def *Definition, pos Position) (*News, error)
}

// Page is an answer to Read whose body is still arriving. It belongs to one
// goroutine.
type Page struct {
	// Next is where to go on once the whole body was read. Like Schema it is
	// final once Messages has given a message, or its end.
	Next Position
	// Schema is the electric-schema header: JSON, one entry a column.
	Schema string
	// Messages yields the body.
	Messages Messages
	// Whole is all of the body if it is in memory already, else nil: it may be
	// taken instead of Messages. Others read it too: it is immutable.
	Whole *Batch
	// Least is how many bytes of rows are known to be in the body, if it is known that
	// there are some: whoever holds less than that need not begin to.
	Least int
	// Close ends the call, read to its end or not.
	Close func() error
}

// Messages yields the messages of an answer, as a Scanner does.
type Messages interface {
	// Next gives the next message, valid until the next call, and io.EOF after
	// the last. Others may come with it, as long as that is less than enough bytes:
	// of 1 it is one. A *Rotated says that the shape is gone: what came so far is all
	// there will be.
	Next(enough int) (Message, error)
}

// Patient is a Source that asks again where its upstream fails.
type Patient interface {
	Source
	// Once is Read without patience, for what is worth having only now.
	Once(ctx context.Context, def *Definition, pos Position) (*Page, error)
	// Down is what is wrong with the shape at this moment, or nil.
	Down(def *Definition) error
}

// News is a whole answer. It is immutable and may be shared.
type News struct {
	// Next is where to go on.
	Next Position
	Batch
	// Framed is the body that its readers share; nil: each makes its own. Copies with
	// other rows must not have it.
	Framed *Framed
}

// Rotated says that the shape the position belongs to is gone: the reader has
// to start over. Handle names the shape that took its place, if the upstream
// said so; to a request that was held Electric does not.
type Rotated struct {
	Handle string
	// OutOfBounds says that the upstream has the shape, and not the offset.
	OutOfBounds bool
}

func (e *Rotated) Error() string { return "the shape was rotated: read it again from the beginning" }

// Unavailable says that the upstream cannot answer for a while. The reader's
// place stays valid.
type Unavailable struct {
	// RetryAfter is how long the upstream asked to be left alone; zero if it
	// did not say.
	RetryAfter time.Duration
	// Misconfigured is set where waiting does not help: somebody has to mend the
	// installation.
	Misconfigured bool
	// Err is for the log only: upstream texts can name hosts.
	Err error
}

func (e *Unavailable) Error() string { return fmt.Sprintf("upstream unavailable: %v", e.Err) }

// Unwrap gives the cause.
func (e *Unavailable) Unwrap() error { return e.Err }

// Limited says that an environment has as much of something as it may have. Others
// do not notice. The reader's place stays valid.
type Limited struct {
	// What there is too much of.
	What string
	// RetryAfter is when it is worth asking again.
	RetryAfter time.Duration
}

func (e *Limited) Error() string { return "the environment has too many " + e.What }

// Refused says that the upstream understood the request and will never answer
// it: a definition that it cannot serve. It is a fault of whoever made the
// Definition, or of the table, and asking again does not help.
type Refused struct {
	// Side is the Table's: whose request it was.
	Side   string
	Status int
	// Body is the beginning of the upstream's answer, for the log only.
	Body string
}

func (e *Refused) Error() string {
	return fmt.Sprintf("upstream refused the request for %s with status %d: %s", e.Side, e.Status, e.Body)
}

// ErrEndless is wrapped by the error of a body that was given up because it is too
// long or takes too long. Asked again it would be no shorter.
var ErrEndless = errors.New("the body does not end")

// ErrMalformed is wrapped by every error about a body that is not what the
// shape protocol says.
var ErrMalformed = errors.New("malformed shape answer")
