package shapes

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// MessageKind says what a Message is.
type MessageKind uint8

// The kinds of Message.
const (
	Change             MessageKind = iota // a row: insert, update or delete
	ControlUpToDate                       // nothing follows what was sent
	ControlSnapshotEnd                    // the initial snapshot is complete
	ControlMustRefetch                    // start over
	ControlOther                          // a control message that this reader does not know
)

// Message is one element of a shape answer, or several changes with the same headers.
type Message struct {
	Kind MessageKind
	// Raw is the element as it came, or are the elements with a comma between each two.
	Raw []byte
	// Count is how many elements those are.
	Count int
	// Position is the place of a change in the log; BeforeAll for a row of a
	// snapshot, which has none.
	Position Offset
	// LSN is the global_last_seen_lsn of an up-to-date, 0 if it has none.
	LSN uint64
	// Xmin is that of a snapshot-end.
	Xmin uint64

	cutFrom, cutTo int // the "last" member of the headers, with one comma
}

// AppendTo appends the message as it came, but for the "last" header: it says
// that a transaction ends here for one shape, which a reader of two shapes
// must not take for the end of the transaction.
func (m Message) AppendTo(dst []byte) []byte {
	dst = append(dst, m.Raw[:m.cutFrom]...)
	return append(dst, m.Raw[m.cutTo:]...)
}

// knownHeaders are the headers of the message before, which those of most rows of a
// snapshot are the same as, and what they came to.
type knownHeaders struct {
	raw []byte
	is  Message // but for Raw, and its places count from the headers
}

// mostKnown is how long headers may be that are kept.
const mostKnown = 1 << 10

// parse reads the headers of a framed object, and says whether they are those of the one
// before. The framer knows where the first nested values are.
func (k *knownHeaders) parse(raw []byte, nested []extent) (m Message, like bool, err error) {
	headers, base := usual(raw, nested)
	if headers == nil {
		err := members(raw, nested, func(key, value []byte, at span) error {
			if nameIs(key, "headers") {
				headers, base = value, at.value
			}
			return nil
		})
		if err != nil {
			return Message{}, false, err
		}
	}
	if len(headers) == 0 || headers[0] != '{' {
		return Message{}, false, malformed("a message has no headers object")
	}
	if bytes.Equal(headers, k.raw) {
		return k.is.of(raw, base), true, nil
	}
	is, err := parseHeaders(headers)
	if err != nil {
		return Message{}, false, err
	}
	k.raw = k.raw[:0]
	if len(headers) <= mostKnown {
		k.raw, k.is = append(k.raw, headers...), is
	}
	return is.of(raw, base), false, nil
}

// of is a message whose headers, which begin at base, are m's.
func (m Message) of(raw []byte, base int) Message {
	m.Raw, m.Count = raw, 1
	if m.cutTo > 0 {
		m.cutFrom, m.cutTo = base+m.cutFrom, base+m.cutTo
	}
	return m
}

// usual gives the headers of a row as Electric writes it, without white space or other
// members: {"key":"...","value":{...},"headers":{...}}. It gives nothing of any other.
func usual(raw []byte, nested []extent) (headers []byte, base int) {
	const key, value, tail = `{"key":`, `,"value":`, `,"headers":`
	if len(nested) != 2 {
		return nil, 0
	}
	row, last := nested[0], nested[1]
	switch {
	case raw[row.from] != '{' || raw[last.from] != '{' || last.to != len(raw)-1 || string(raw[row.to:last.from]) != tail:
		return nil, 0
	case row.from < len(key+value) || string(raw[:len(key)]) != key || string(raw[row.from-len(value):row.from]) != value:
		return nil, 0
	case raw[len(key)] != '"' || skipString(raw, len(key)) != row.from-len(value):
		return nil, 0
	}
	return raw[last.from:last.to], last.from
}

// parseHeaders reads the headers of a message: what it is, but for Raw.
func parseHeaders(headers []byte) (Message, error) {
	var m Message
	var h headerScan
	if err := members(headers, nil, h.member); err != nil {
		return m, err
	}
	if h.lastTo > 0 {
		m.cutFrom, m.cutTo = h.lastFrom, h.lastTo
	}
	return m, h.finish(&m)
}

// headerScan collects the headers that matter here.
type headerScan struct {
	operation, control    []byte
	lsn, opPosition       []byte
	xmin, lastSeen        []byte
	lastFrom, lastTo      int
	hasLSN, hasOpPosition bool
}

func (h *headerScan) member(key, value []byte, at span) error {
	switch string(text(key)) {
	case "operation":
		h.operation = value
	case "control":
		h.control = value
	case "lsn":
		h.lsn, h.hasLSN = value, true
	case "op_position":
		h.opPosition, h.hasOpPosition = value, true
	case "xmin":
		h.xmin = value
	case "global_last_seen_lsn":
		h.lastSeen = value
	case "last":
		if h.lastTo > 0 {
			return malformed("a message has two last headers")
		}
		h.lastFrom, h.lastTo = at.from, at.to
	}
	return nil
}

func (h *headerScan) finish(m *Message) error {
	if h.control != nil {
		return h.finishControl(m)
	}
	switch string(text(h.operation)) {
	case "insert", "update", "delete":
	default:
		return malformed("a message has neither a control nor a known operation")
	}
	m.Kind = Change
	if !h.hasLSN || !h.hasOpPosition {
		return nil
	}
	tx, err := strconv.ParseUint(string(text(h.lsn)), 10, 64)
	if err != nil {
		return malformed("the lsn of a change is not a decimal number")
	}
	op, err := strconv.ParseUint(string(h.opPosition), 10, 32)
	if err != nil {
		return malformed("the op_position of a change is not a number")
	}
	m.Position = LogOffset(tx, uint32(op))
	return nil
}

func (h *headerScan) finishControl(m *Message) error {
	var err error
	switch string(text(h.control)) {
	case "up-to-date":
		m.Kind = ControlUpToDate
		if h.lastSeen != nil {
			m.LSN, err = strconv.ParseUint(string(text(h.lastSeen)), 10, 64)
		}
	case "snapshot-end":
		m.Kind = ControlSnapshotEnd
		m.Xmin, err = strconv.ParseUint(string(text(h.xmin)), 10, 64)
	case "must-refetch":
		m.Kind = ControlMustRefetch
	default:
		m.Kind = ControlOther
	}
	if err != nil {
		return malformed("a number in a control message is not a number")
	}
	return nil
}

// text is the content of a JSON string, in its own memory if that is how it stands there,
// or nothing of anything else.
func text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return nil
	}
	return []byte(s)
}

// nameIs compares a member's name, quotes included, with a plain one.
func nameIs(key []byte, name string) bool {
	if len(key) == len(name)+2 {
		return string(key[1:len(key)-1]) == name // any other spelling is longer
	}
	return len(key) > len(name)+2 && bytes.IndexByte(key, '\\') >= 0 && string(text(key)) == name
}
