package feeds

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Config of a Service.
type Config struct {
	// Merger reads the shapes of feeds. Required.
	Merger *merge.Merger
	// Codec writes and reads cursors. Required.
	Codec *cursor.Codec
	// Census says in which tables an environment has runs, so that a feed of one
	// with runs in one table only costs one shape. nil: every feed has both.
	Census Census
	// MaxAge is the most that a tag feed reaches back. Default 24 h.
	MaxAge time.Duration
	// Hold is how long a live request waits for news, give or take 15 %, so
	// that clients that began together do not come back together. It must stay
	// below 39 s: clients give up at 45. Default 20 s.
	Hold time.Duration
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// Service answers the readers of feeds. It is safe for concurrent use.
type Service struct {
	config Config
	cuts   *cuts
	known  known

	lastLive atomic.Pointer[number]
}

// New makes a Service.
func New(c Config) *Service {
	if c.MaxAge == 0 {
		c.MaxAge = DefaultWindow
	}
	if c.Hold == 0 {
		c.Hold = 20 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{config: c, cuts: newCuts()}
}

// Place is where a client is in a feed: the strings that it got with its last
// answer, as it sent them, and how long it may stay.
type Place struct {
	// Offset is "-1" for a client that starts; Handle may be empty then.
	Handle, Offset string
	// Cursor is that of the last live answer.
	Cursor string
	// Expired is the last handle of this feed that the client was told to
	// give up. No answer repeats it.
	Expired string

	// Until is when the client's credential ends; the zero time if it does
	// not. It is the server's word and not the client's: nobody is held past it.
	Until time.Time
}

// Starts says that the client has nothing yet.
func (p Place) Starts() bool { return p.Offset == "-1" }

// Batch is what follows a place: its body is a JSON array of messages. It
// belongs to one goroutine, which closes it.
type Batch struct {
	// Handle, Offset and Cursor are the client's next place. Cursor is empty if
	// the request was not live.
	Handle, Offset, Cursor string
	// Schema describes the columns, in JSON; empty if the request was live.
	Schema string
	// UpToDate says that the body ends with an up-to-date message.
	UpToDate bool

	*merge.Answer
}

// MustRefetch says that a place can no longer be served: the client has to
// start over, with this handle.
type MustRefetch struct {
	Handle string
	Reason Reason
	cause  error
}

func (e *MustRefetch) Error() string { return "the client must refetch: " + e.cause.Error() }

// Unwrap gives the cause.
func (e *MustRefetch) Unwrap() error { return e.cause }

// Unavailable says that a feed cannot be read for a while; places stay valid.
type Unavailable struct{ cause error }

func (e *Unavailable) Error() string { return e.cause.Error() }

// Unwrap gives the cause.
func (e *Unavailable) Unwrap() error { return e.cause }

// Limited says that an environment asks for more than it may, whatever others do;
// places stay valid.
type Limited struct {
	// RetryAfter is when it is worth asking again.
	RetryAfter time.Duration
	cause      error
}

func (e *Limited) Error() string { return e.cause.Error() }

// Unwrap gives the cause.
func (e *Limited) Unwrap() error { return e.cause }

// ErrLiveStart says that a client asked to wait for what follows nothing.
var ErrLiveStart = errors.New("a feed cannot be live before it was read: ask without live first")

// Next gives what follows the place, and waits for it if live. Errors are
// *MustRefetch, *Unavailable, *Limited, ErrLiveStart, the context's, and others that are
// faults of this installation.
func (s *Service) Next(ctx context.Context, f *Feed, p Place, live bool) (*Batch, error) {
	if live {
		h, err := s.Hold(ctx, f, p)
		if err != nil {
			return nil, err
		}
		h.Wait()
		return h.Batch()
	}
	at, err := s.at(f, p)
	if err != nil {
		return nil, s.mustRefetch(f, err)
	}
	if f.missing(&at) {
		if err := s.open(ctx, f, &at); err != nil {
			return nil, err
		}
	}
	h := s.begin(ctx, f, &at, merge.Request{})
	h.Wait()
	b := new(Batch)
	if err := s.batch(b, f, &at, p.Expired, h); err != nil {
		return nil, err
	}
	return b, nil
}

// begin has the merger begin to answer a request.
func (s *Service) begin(ctx context.Context, f *Feed, at *cursor.Cursor, req merge.Request) *merge.Held {
	req.Definitions, req.From, req.Xmin = f.definitions(at.Floor), at.Sides, at.Xmin
	return s.config.Merger.Begin(ctx, req)
}

// batch makes b of the answer, once it was waited for. It moves the place behind it.
func (s *Service) batch(b *Batch, f *Feed, at *cursor.Cursor, expired string, h *merge.Held) error {
	answer, err := h.Answer()
	if err != nil {
		return s.meaning(f, err)
	}
	at.Sides, at.Xmin = answer.Next, answer.Xmin
	*b = Batch{Schema: answer.Schema, UpToDate: answer.UpToDate, Answer: answer}
	if b.Handle, b.Offset, err = s.encode(f, at, expired); err != nil {
		answer.Close()
		return &Unavailable{err}
	}
	return nil
}

// at reads the place. A client that starts gets a new floor; of the handle that
// it may bring along, from a must-refetch, only the nonce counts.
func (s *Service) at(f *Feed, p Place) (cursor.Cursor, error) {
	if p.Starts() {
		var at cursor.Cursor
		if brought, err := s.config.Codec.DecodeHandle(f.fingerprint, p.Handle); err == nil {
			at.Nonce = brought.Nonce
		}
		if f.window > 0 {
			at.Floor = floorOf(s.config.Now(), f.window)
		}
		return at, nil
	}
	if at, ok := f.common.decoded(s.config.Codec, p.Handle, p.Offset); ok {
		return at, nil
	}
	at, err := s.config.Codec.Decode(f.fingerprint, p.Handle, p.Offset)
	if err != nil {
		return at, err
	}
	// The handle of a must-refetch is ours and has no floor: it is good for
	// starting over, and must not open a tag feed without its bound.
	if (f.window > 0) == at.Floor.IsZero() {
		return at, cursor.ErrInvalid
	}
	some := false
	for i := range f.tables {
		if at.Sides[i].Opened && !f.tables[i] {
			return at, cursor.ErrInvalid
		}
		some = some || at.Sides[i].Opened
	}
	if !some {
		return at, cursor.ErrInvalid
	}
	return at, nil
}

// encode writes the next place. An answer with a handle that the client was
// told to give up would make it start over without a word to its subscribers:
// then another nonce is used, over the same upstream handles.
func (s *Service) encode(f *Feed, at *cursor.Cursor, expired string) (handle, offset string, err error) {
	handle, offset = f.common.encoded(s.config.Codec, at)
	if offset == "" {
		if handle == "" {
			handle, offset, err = s.config.Codec.Encode(f.fingerprint, *at)
		} else {
			offset, err = cursor.Offset(at.Sides)
		}
		if err == nil {
			f.common.tell(s.config.Codec, at, handle, offset)
		}
	}
	if err == nil && handle == expired {
		at.Nonce = cursor.RandomNonce()
		handle, offset, err = s.config.Codec.Encode(f.fingerprint, *at)
	}
	return handle, offset, err
}

func (s *Service) meaning(f *Feed, err error) error {
	if rotated, ok := errors.AsType[*shapes.Rotated](err); ok {
		return s.mustRefetch(f, rotated)
	}
	if unavailable, ok := errors.AsType[*shapes.Unavailable](err); ok {
		return &Unavailable{unavailable}
	}
	if limited, ok := errors.AsType[*shapes.Limited](err); ok {
		return &Limited{limited.RetryAfter, limited}
	}
	return err
}

// mustRefetch makes a handle that no client holds: that of a 409 is remembered,
// and must not be the one that was refused.
func (s *Service) mustRefetch(f *Feed, cause error) error {
	handle, _, err := s.config.Codec.Encode(f.fingerprint, cursor.Cursor{Nonce: cursor.RandomNonce()})
	if err != nil {
		return err
	}
	return &MustRefetch{Handle: handle, Reason: reasonOf(cause), cause: cause}
}
