package shapes

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// seen is what a scanner gave, in a form that can be compared.
type seen struct {
	messages []Message // their Raw copied
	cut      []string  // what AppendTo leaves of each
	err      string    // "", "malformed", "too short", or the text of another
}

func scan(s *Scanner) seen {
	var all seen
	for {
		m, err := s.Next(1)
		if err == io.EOF {
			return all
		}
		if all.err = kind(err); err != nil {
			return all
		}
		all.add(m)
	}
}

func (s *seen) add(m Message) {
	s.cut = append(s.cut, string(m.AppendTo(nil)))
	m.Raw = bytes.Clone(m.Raw)
	s.messages = append(s.messages, m)
}

// kind is what a scanner's error comes to.
func kind(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case err == io.ErrUnexpectedEOF:
		return "too short"
	}
	return err.Error()
}

// FuzzScanner: of a body that is JSON, the scanner makes what a JSON parser
// makes; of any other it makes the same whatever the pieces it comes in, and
// each message is a stretch of the body.
func FuzzScanner(f *testing.F) {
	bodies, _ := recordedAnswers(f, "")
	for i, body := range bodies {
		f.Add([]byte(body), uint(i))
	}
	// More than the scanner reads at once, in messages that are cut by that.
	message := []byte(`{"a":"` + strings.Repeat("x", 900) + `","headers":{"last":true,"operation":"insert"}}`)
	f.Add(slices.Concat([]byte("["), bytes.Repeat(append(message, ','), 50), message, []byte("]")), uint(6))
	f.Fuzz(func(t *testing.T, body []byte, piece uint) {
		got := scan(NewBytesScanner(bytes.Clone(body)))
		pieces := &slowly{rest: body, size: int(piece%7) + 1}
		if piecewise := scan(NewScanner(pieces)); !reflect.DeepEqual(got, piecewise) {
			t.Fatalf("whole:  %+v\npieces: %+v", got, piecewise)
		}
		rest := body
		for _, m := range got.messages {
			at := bytes.Index(rest, m.Raw)
			if at < 0 {
				t.Fatalf("%s is no stretch of the body", m.Raw)
			}
			rest = rest[at+len(m.Raw):]
		}
		together(t, body, int(piece%200), got)
		inPlace(t, body)
		switch {
		case json.Valid(body) && nesting(body) <= 64:
			compareToParser(t, body, got)
		case got.err == "":
			framed(t, body)
		}
	})
}

// together reads messages that come together, of so many bytes, and compares them to the
// same one by one.
func together(t *testing.T, body []byte, enough int, want seen) {
	t.Helper()
	var all seen
	s := NewScanner(&slowly{rest: body, size: 150})
	for all.err == "" {
		m, err := s.Next(enough)
		if err == io.EOF {
			break
		}
		if all.err = kind(err); err != nil {
			break
		}
		if m.Count == 1 {
			all.add(m)
			continue
		}
		var parts [][]byte
		for raw := range Split(m.Raw) {
			parts = append(parts, raw)
		}
		if last := parts[len(parts)-1]; len(parts) != m.Count || len(m.Raw)-len(last)-len(",") >= enough || m.Kind != Change {
			t.Fatalf("%+v with enough of %d", m, enough)
		}
		for _, raw := range parts {
			one := m
			one.Raw, one.Count = raw, 1
			all.add(one)
		}
	}
	if !reflect.DeepEqual(all, want) {
		t.Fatalf("together: %+v\none by one: %+v", all, want)
	}
}

// slowly gives a few bytes at a time.
type slowly struct {
	rest []byte
	size int
}

func (r *slowly) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// inPlace collects the rows in the memory of the body itself, as a live answer
// is read, and elsewhere.
func inPlace(t *testing.T, body []byte) {
	t.Helper()
	var apart Batch
	_, err := apart.Fill(NewBytesScanner(bytes.Clone(body)), len(body)+1)
	own := bytes.Clone(body)
	within := Batch{Rows: own[:0]}
	_, errWithin := within.Fill(NewBytesScanner(own), len(body)+1)
	if (err == nil) != (errWithin == nil) || err == nil && (string(apart.Rows) != string(within.Rows) || apart.Count != within.Count) {
		t.Fatalf("apart %s, %v; in place %s, %v", apart.Rows, err, within.Rows, errWithin)
	}
}

// nesting is how deep the brackets of a JSON text go, the body's own left out.
func nesting(body []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(body))
	depth := -1
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

// framed checks what the scanner promises of a body that it takes though it is
// not JSON: outside strings, the brackets fit.
func framed(t *testing.T, body []byte) {
	t.Helper()
	var open []byte
	quoted := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			open = append(open, c+2)
		case c == ']' || c == '}':
			if len(open) == 0 || open[len(open)-1] != c {
				t.Fatalf("a wrong bracket at %d was taken in %q", i, body)
			}
			open = open[:len(open)-1]
		}
	}
	if quoted || len(open) > 0 {
		t.Fatalf("taken, though it is not at its end: %q", body)
	}
}

// compareToParser holds what the scanner made of a JSON text against what
// encoding/json makes of it.
func compareToParser(t *testing.T, body []byte, got seen) {
	t.Helper()
	var elements []json.RawMessage
	if json.Unmarshal(body, &elements) != nil || elements == nil {
		if got.err != "malformed" {
			t.Fatalf("not an array, and read as %+v", got)
		}
		return
	}
	for i, raw := range elements {
		want, ok := parsed(raw)
		if !ok {
			if got.err != "malformed" || len(got.messages) != i {
				t.Fatalf("element %d is no message, and was read as %+v", i, got)
			}
			return
		}
		if i >= len(got.messages) {
			t.Fatalf("%d messages and %q of %s", len(got.messages), got.err, body)
		}
		m := got.messages[i]
		cut := [2]int{m.cutFrom, m.cutTo}
		m.cutFrom, m.cutTo = 0, 0
		if !reflect.DeepEqual(m, want) {
			t.Fatalf("element %d read as\n%+v, want\n%+v", i, m, want)
		}
		lastRemoved(t, raw, got.cut[i], cut)
	}
	if got.err != "" || len(got.messages) != len(elements) {
		t.Fatalf("%d messages and %q, of %d", len(got.messages), got.err, len(elements))
	}
}

// lastRemoved: one stretch is missing and nothing else, and what it held is the
// last header.
func lastRemoved(t *testing.T, raw []byte, cut string, at [2]int) {
	t.Helper()
	before, after := objectOf(raw), objectOf([]byte(cut))
	headers, _ := before["headers"].(map[string]any)
	if _, has := headers["last"]; !has && cut != string(raw) {
		t.Fatalf("%s has no last, and became %s", raw, cut)
	}
	delete(headers, "last")
	if after == nil || !reflect.DeepEqual(before, after) {
		t.Fatalf("%s became %s, by %v", raw, cut, at)
	}
}

func objectOf(raw []byte) map[string]any {
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&all) != nil {
		return nil
	}
	return all
}

// parsed reads one element with encoding/json, by the words of the protocol.
func parsed(raw json.RawMessage) (m Message, ok bool) {
	m.Raw, m.Count = raw, 1
	var element, headers map[string]json.RawMessage
	if json.Unmarshal(raw, &element) != nil || element == nil ||
		json.Unmarshal(element["headers"], &headers) != nil || headers == nil || twice(element["headers"], "last") {
		return m, false
	}
	str := func(name string) (s string) {
		_ = json.Unmarshal(headers[name], &s)
		return s
	}
	number := func(s string, bits int, into *uint64) (err error) {
		*into, err = strconv.ParseUint(s, 10, bits)
		return err
	}
	var err error
	switch {
	case headers["control"] == nil:
		var tx, op uint64
		if o := str("operation"); o != "insert" && o != "update" && o != "delete" {
			return m, false
		}
		if headers["lsn"] != nil && headers["op_position"] != nil {
			err = errors.Join(number(str("lsn"), 64, &tx), number(string(headers["op_position"]), 32, &op))
			m.Position = LogOffset(tx, uint32(op))
		}
	case str("control") == "up-to-date":
		m.Kind = ControlUpToDate
		if headers["global_last_seen_lsn"] != nil {
			err = number(str("global_last_seen_lsn"), 64, &m.LSN)
		}
	case str("control") == "snapshot-end":
		m.Kind, err = ControlSnapshotEnd, number(str("xmin"), 64, &m.Xmin)
	case str("control") == "must-refetch":
		m.Kind = ControlMustRefetch
	default:
		m.Kind = ControlOther
	}
	return m, err == nil
}

// twice says whether an object names a member more than once.
func twice(object []byte, name string) bool {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	n := 0
	for d.More() {
		key, _ := d.Token()
		if key == name {
			n++
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
	}
	return n > 1
}
