package electric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

const (
	maxLive   = 16 << 20 // bytes of one live answer
	maxHandle = 256      // bytes; Electric's own have about 26
	maxError  = 4 << 10  // bytes kept of an answer that is not rows
)

var errOutOfBounds = errors.New("the offset is out of bounds for this shape")

// meaning turns an answer that holds no rows into an error. A refusal can repeat
// a value that was bound: it is not fit for a log yet.
func meaning(resp *http.Response, pos shapes.Position) error {
	beginning := pos.Offset.Kind == shapes.BeforeAll
	switch status := resp.StatusCode; {
	case status == http.StatusConflict && beginning:
		return fault("status 409 from Electric to a question that names no handle")
	case status == http.StatusConflict:
		handle := resp.Header.Get("Electric-Handle")
		if checkHandle(handle) != nil {
			handle = ""
		}
		return &shapes.Rotated{Handle: handle}
	case status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusRequestURITooLong:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError+1)) // a byte more tells that there is more
		outOfBounds := status == http.StatusBadRequest && isOutOfBounds(body)
		switch {
		case outOfBounds && beginning:
			return fault("status 400 from Electric: the beginning is out of bounds for the shape")
		case outOfBounds:
			return errOutOfBounds
		case encoded(resp):
			body = []byte("(its body has a content-encoding)")
		}
		return &shapes.Refused{Status: status, Body: string(body)}
	case status == http.StatusUnauthorized:
		return &shapes.Unavailable{
			Misconfigured: true,
			Err:           errors.New("status 401 from Electric: set ELECTRIC_SECRET to the secret that Electric was started with"),
		}
	default:
		return &shapes.Unavailable{
			RetryAfter: retryAfter(resp.Header),
			Err:        fmt.Errorf("status %d from Electric", status),
		}
	}
}

// fault is a *shapes.Unavailable with this text.
func fault(format string, args ...any) error {
	return &shapes.Unavailable{Err: fmt.Errorf(format, args...)}
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

// retryAfter reads the header: in seconds, as Electric gives it, or as a time, as
// something between may.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date")) // by the clock that the time is of
	if err != nil {
		now = time.Now()
	}
	return max(until.Sub(now), 0)
}

// head reads what stands before the rows: where an answer to a question at pos
// says to go on. It takes an answer for rows only if all of it says so.
func head(resp *http.Response, pos shapes.Position, live bool) (shapes.Position, error) {
	if resp.StatusCode == http.StatusNoContent {
		if !live {
			return shapes.Position{}, fault("status 204 from Electric to a question that was not held")
		}
		return nextPosition(resp.Header, pos)
	}
	if !isJSON(resp.Header.Get("Content-Type")) {
		return shapes.Position{}, fault("an answer is not application/json: is ELECTRIC_ORIGIN an Electric, and nothing between that answers itself?")
	}
	if encoded(resp) {
		return shapes.Position{}, fault("an answer has a content-encoding, which was not asked for: something between compresses it")
	}
	next, err := nextPosition(resp.Header, pos)
	if err == nil && !live && !isObject(resp.Header.Get("Electric-Schema")) {
		err = fault("the electric-schema header of an answer is not a JSON object")
	}
	return next, err
}

// isJSON knows what Electric sends, and reads whatever else may come to the same.
func isJSON(contentType string) bool {
	if contentType == "application/json; charset=utf-8" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// encoded says that the body is not what it stands for.
func encoded(resp *http.Response) bool {
	coding := resp.Header.Get("Content-Encoding")
	return coding != "" && coding != "identity"
}

func isObject(text string) bool {
	return strings.HasPrefix(text, "{") && json.Valid([]byte(text))
}

// nextPosition reads where to go on. An answer under another handle is of another
// shape, whose rows would not fit those that the reader has: that is a rotation,
// even if it came as a 200.
func nextPosition(header http.Header, pos shapes.Position) (shapes.Position, error) {
	handle := header.Get("Electric-Handle")
	if err := checkHandle(handle); err != nil {
		return shapes.Position{}, &shapes.Unavailable{Err: err}
	}
	named := header.Get("Electric-Offset")
	offset, err := shapes.ParseOffset(named)
	switch {
	case err != nil: // which repeats what came
		return shapes.Position{}, fault("the electric-offset header of an answer, of %d bytes, is no offset", len(named))
	case offset.Kind == shapes.BeforeAll || offset.Kind == shapes.Now:
		return shapes.Position{}, fault("an answer names the offset %s, where none can end", offset)
	case pos.Offset.Kind != shapes.BeforeAll && handle != pos.Handle:
		return shapes.Position{}, &shapes.Rotated{Handle: handle}
	case offset.Compare(pos.Offset) < 0:
		return shapes.Position{}, fault("an answer goes back from offset %s to %s", pos.Offset, offset)
	}
	if handle == pos.Handle {
		handle = pos.Handle
	} else {
		handle = strings.Clone(handle) // a place is kept for long, and the head that it came in is not
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
	body, err := readAll(resp)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fault("reading a live answer: %w", err)
	}
	switch none := resp.StatusCode == http.StatusNoContent; {
	case len(body) > maxLive:
		return nil, fault("a live answer is larger than %d bytes", maxLive)
	case len(body) == 0 && !none:
		return nil, fault("a live answer has an empty body")
	case none:
		return &shapes.Batch{UpToDate: true}, nil
	case !shapes.Valid(body):
		return nil, fault("a live answer is not JSON")
	}
	batch := shapes.Batch{Rows: body[:0]}
	if _, err := batch.Fill(shapes.NewBytesScanner(body), maxLive+1); err != nil {
		return nil, fault("a live answer: %w", err)
	}
	return &batch, nil
}

// readAll reads a body to its end, or to where it is too large for a live answer.
func readAll(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= maxLive {
		body := make([]byte, n+1) // the Read that gives the end needs room
		got, err := io.ReadFull(resp.Body, body)
		if got == int(n) && (err == io.EOF || err == io.ErrUnexpectedEOF) {
			return body[:n], nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return body[:got], err
	}
	var buf bytes.Buffer
	buf.Grow(2 << 10) // if it is chunked: mostly a row or two
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, maxLive+1))
	return buf.Bytes(), err
}
