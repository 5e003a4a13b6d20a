package cursor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// signed gives a handle whose code is right and whose content is not what
// Encode writes, as one of another release would be.
func signed(body []byte) string {
	return encoding.EncodeToString(append(bytes.Clone(body), code(newKey, feed, body)...))
}

func numbersOf(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func TestAuthenticHandlesAreCheckedAllTheSame(t *testing.T) {
	c := codec(t, newKey)
	whole := numbersOf(version, 5, 1795384594, 740, handleNumbers, 1, 2, handleText, 3, 'a', 'b', 'c')
	want := Cursor{Nonce: 5, Floor: time.Unix(1795384594, 0).UTC(), Xmin: 740}
	want.Sides[0].Handle, want.Sides[1].Handle = "1-2", "abc"
	if got, err := c.DecodeHandle(feed, signed(whole)); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	for n := range whole {
		if got, err := c.DecodeHandle(feed, signed(whole[:n])); !errors.Is(err, ErrInvalid) {
			t.Errorf("cut to %d bytes it was read as %+v, %v", n, got, err)
		}
	}
	for name, body := range map[string][]byte{
		"something behind":       append(bytes.Clone(whole), 0),
		"another version":        append([]byte{version + 1}, whole[1:]...),
		"a floor past all dates": numbersOf(version, 5, 1<<40, 740, handleNone, handleNone),
		"an unknown form":        numbersOf(version, 5, 0, 740, handleText+1, handleNone),
		"a text of 2^64 bytes":   numbersOf(version, 5, 0, 740, handleText, math.MaxUint64),
		"a long text":            append(numbersOf(version, 5, 0, 740, handleNone, handleText, 257), strings.Repeat("x", 257)...),
		"a number of 11 bytes":   append([]byte{version}, bytes.Repeat([]byte{0xff}, 11)...),
	} {
		if got, err := c.DecodeHandle(feed, signed(body)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s was read as %+v, %v", name, got, err)
		}
	}
	if _, err := c.DecodeHandle(feed, strings.Repeat("A", maxHandle+4)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a handle that is too long: %v", err)
	}
}

// A place that an upstream names and that fits into no number is its fault, and
// the stream's number says so as Encode does.
func TestNumberOfWhatDoesNotFit(t *testing.T) {
	sides := [Sides]shapes.Progress{{Opened: true, Position: shapes.Position{Offset: shapes.Offset{Kind: shapes.Now}}}}
	if n, err := Number(sides); !errors.Is(err, errUnfit) {
		t.Errorf("got %q, %v", n, err)
	}
}

// There is one text for a handle; base64 decoders skip line breaks.
func TestHandlesWithLineBreaks(t *testing.T) {
	c := codec(t, newKey)
	handle, _, err := c.Encode(feed, Cursor{Sides: [Sides]shapes.Progress{{Opened: true}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{handle + "\n", "\r" + handle, handle[:4] + "\r\n" + handle[4:]} {
		if got, err := c.DecodeHandle(feed, other); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q was read as %+v, %v", other, got, err)
		}
	}
}

// What is wrong with a handle is told apart where an operator would do something else
// about it; all of it is the same to the client.
func TestWhatIsWrongWithAHandle(t *testing.T) {
	c := codec(t, newKey)
	for name, k := range map[string]struct {
		handle string
		is     error
	}{
		"another version": {signed(numbersOf(version + 1)), ErrVersion},
		"another key":     {encoding.EncodeToString(append(numbersOf(version), code(bytes.Repeat([]byte{9}, MinKey), feed, numbersOf(version))...)), ErrForeign},
		"no handle":       {"x", ErrForeign},
		"too long":        {strings.Repeat("x", maxHandle+1), ErrForeign},
		"cut short":       {signed(numbersOf(version)), ErrInvalid},
	} {
		_, err := c.DecodeHandle(feed, k.handle)
		foreign, otherVersion := errors.Is(err, ErrForeign), errors.Is(err, ErrVersion)
		if !errors.Is(err, ErrInvalid) || foreign != (k.is == ErrForeign) || otherVersion != (k.is == ErrVersion) {
			t.Errorf("%s: %v (foreign: %v, version: %v)", name, err, foreign, otherVersion)
		}
	}
}
