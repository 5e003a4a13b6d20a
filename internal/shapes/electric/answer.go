package electric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

const (
	maxLive   = 16 << 20 // bytes of one live answer
	maxHandle = 256      // bytes; Electric's own have about 26
	maxError  = 4 << 10  // bytes read of an answer that is not rows
)

var errOutOfBounds = errors.New("the offset is out of bounds for this shape")

// meaning turns an answer that holds no rows into an error. A refusal can repeat
// a value that was bound: it is not fit for a log yet.
func meaning(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusConflict:
		handle := resp.Header.Get("electric-handle")
		if checkHandle(handle) != nil {
			handle = ""
		}
		return &shapes.Rotated{Handle: handle}
	case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestURITooLong:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		if resp.StatusCode == http.StatusBadRequest && isOutOfBounds(body) {
			return errOutOfBounds
		}
		return &shapes.Refused{Status: resp.StatusCode, Body: string(body)}
	case http.StatusUnauthorized:
		return &shapes.Unavailable{Err: errors.New("status 401 from Electric: set ELECTRIC_SECRET to the secret that Electric was started with")}
	default:
		return &shapes.Unavailable{
			RetryAfter: retryAfter(resp.Header.Get("retry-after")),
			Err:        fmt.Errorf("status %d from Electric", resp.StatusCode),
		}
	}
}

// isOutOfBounds looks for the one field of a 400 that is not the fault of the
// request: {"errors":{"offset":["out of bounds for this shape"]}}.
func isOutOfBounds(body []byte) bool {
	var answer struct {
		Errors map[string]json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return false
	}
	return bytes.Contains(answer.Errors["offset"], []byte("out of bounds"))
}

// retryAfter reads the header's form in seconds, the only one Electric uses.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// nextPosition reads where an answer to a question at pos says to go on. An
// answer under another handle is of another shape, whose rows would not fit
// those that the reader has: that is a rotation, even if it came as a 200.
func nextPosition(resp *http.Response, pos shapes.Position) (shapes.Position, error) {
	handle := resp.Header.Get("electric-handle")
	if err := checkHandle(handle); err != nil {
		return shapes.Position{}, &shapes.Unavailable{Err: err}
	}
	offset, err := shapes.ParseOffset(resp.Header.Get("electric-offset"))
	switch {
	case err != nil:
		err = fmt.Errorf("the electric-offset header of an answer: %w", err)
	case offset.Kind == shapes.BeforeAll || offset.Kind == shapes.Now:
		err = fmt.Errorf("an answer names the offset %s, where none can end", offset)
	case pos.Offset.Kind != shapes.BeforeAll && handle != pos.Handle:
		return shapes.Position{}, &shapes.Rotated{Handle: handle}
	case offset.Compare(pos.Offset) < 0:
		err = fmt.Errorf("an answer goes back from offset %s to %s", pos.Offset, offset)
	}
	if err != nil {
		return shapes.Position{}, &shapes.Unavailable{Err: err}
	}
	return shapes.Position{Handle: handle, Offset: offset}, nil
}

// checkHandle takes what can stand in a header and a URL, and fits a cursor.
func checkHandle(handle string) error {
	if handle == "" || len(handle) > maxHandle {
		return fmt.Errorf("the electric-handle header of an answer has %d bytes, not 1 to %d", len(handle), maxHandle)
	}
	for _, c := range []byte(handle) {
		if c <= ' ' || c > '~' {
			return errors.New("the electric-handle header of an answer has bytes that are not printable ASCII")
		}
	}
	return nil
}

// readBatch reads a live answer whole. Rows are cut in place: the body's own
// memory becomes the batch's, because what is kept of a message never starts
// before the message does.
func readBatch(ctx context.Context, resp *http.Response) (*shapes.Batch, error) {
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxLive {
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(resp.Body, maxLive+1)); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &shapes.Unavailable{Err: fmt.Errorf("reading a live answer: %w", err)}
	}
	if buf.Len() > maxLive {
		return nil, &shapes.Unavailable{Err: fmt.Errorf("a live answer is larger than %d bytes", maxLive)}
	}
	body := buf.Bytes()
	batch := shapes.Batch{Rows: body[:0], UpToDate: len(body) == 0}
	if _, err := batch.Fill(shapes.NewBytesScanner(body), maxLive+1); err != nil {
		return nil, &shapes.Unavailable{Err: fmt.Errorf("a live answer: %w", err)}
	}
	return &batch, nil
}
