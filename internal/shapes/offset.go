package shapes

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// OffsetKind says which of Electric's forms an Offset has.
type OffsetKind uint8

// The kinds of Offset. The zero value is BeforeAll, so that a zero Offset
// is where every reader starts.
const (
	BeforeAll OffsetKind = iota // "-1": nothing read yet
	At                          // "<tx>_<op>": after one change of the log, or after snapshot chunk op when tx is 0
	AtEnd                       // "<tx>_inf": after everything of tx; "0_inf" is the end of the snapshot
	Now                         // "now": skip what is there; only ever asked for, never named by an answer
)

// Offset is a position in the log of one shape. It is a value: compare it
// with == or Compare.
//
// Tx is the commit LSN of a transaction as Electric writes it, in decimal;
// Op is the index of a change in that transaction. With Tx 0 the position is
// virtual: 0_n ends chunk n of the snapshot, 0_inf ends the snapshot. A source
// that orders changes itself may use the numbers as it likes, so long as they
// grow.
type Offset struct {
	Kind OffsetKind
	Tx   uint64 // set for At and AtEnd
	Op   uint32 // set for At
}

// SnapshotEnd is "0_inf": the snapshot is read, and nothing of the log.
var SnapshotEnd = Offset{Kind: AtEnd}

// SnapshotChunk is "0_n", the end of chunk n of a snapshot.
func SnapshotChunk(n uint32) Offset { return Offset{Kind: At, Op: n} }

// LogOffset is "<tx>_<op>", the position of one change.
func LogOffset(tx uint64, op uint32) Offset { return Offset{Kind: At, Tx: tx, Op: op} }

// ParseOffset reads s by the grammar of Electric's server
// (sync-service 1.7.12, replication/log_offset.ex): "-1", "now", or two parts
// joined by one "_", of which the second may be "inf". Its integers may carry
// a leading "+" and leading zeros, and "-1_0" also stands before everything.
// The error names s, shortened.
func ParseOffset(s string) (Offset, error) {
	switch s {
	case "-1":
		return Offset{}, nil
	case "now":
		return Offset{Kind: Now}, nil
	}
	left, right, ok := strings.Cut(s, "_")
	if !ok {
		return Offset{}, badOffset(s)
	}
	if left == "-1" {
		if n, err := parseInteger(right, 64); err == nil && n == 0 {
			return Offset{}, nil
		}
		return Offset{}, badOffset(s)
	}
	tx, err := parseInteger(left, 64)
	if err != nil {
		return Offset{}, badOffset(s)
	}
	if right == "inf" {
		return Offset{Kind: AtEnd, Tx: tx}, nil
	}
	op, err := parseInteger(right, 32)
	if err != nil {
		return Offset{}, badOffset(s)
	}
	return Offset{Kind: At, Tx: tx, Op: uint32(op)}, nil
}

// parseInteger reads an integer as Elixir's Integer.parse does when nothing
// may follow it, without the minus sign: offsets are never negative but for
// -1, which the caller has seen already.
func parseInteger(s string, bits int) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, bits)
}

func badOffset(s string) error {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Errorf("offset %q is not -1, now, <int>_<int> or <int>_inf", s)
}

// String is the canonical text: what Electric itself writes.
func (o Offset) String() string {
	switch o.Kind {
	case BeforeAll:
		return "-1"
	case Now:
		return "now"
	case AtEnd:
		return strconv.FormatUint(o.Tx, 10) + "_inf"
	default:
		b := make([]byte, 0, 24)
		b = strconv.AppendUint(b, o.Tx, 10)
		b = append(b, '_')
		return string(strconv.AppendUint(b, uint64(o.Op), 10))
	}
}

// Compare orders positions: by transaction, then by change, with "inf" after
// every change of its transaction, BeforeAll first and Now last.
func (o Offset) Compare(p Offset) int {
	if c := cmp.Compare(o.rank(), p.rank()); c != 0 {
		return c
	}
	if c := cmp.Compare(o.Tx, p.Tx); c != 0 {
		return c
	}
	return cmp.Compare(o.op(), p.op())
}

func (o Offset) rank() int {
	switch o.Kind {
	case BeforeAll:
		return 0
	case Now:
		return 2
	default:
		return 1
	}
}

func (o Offset) op() uint64 {
	if o.Kind == AtEnd {
		return math.MaxUint64
	}
	return uint64(o.Op)
}

// InSnapshot says that the position lies before the end of the snapshot, so
// that what follows it is still snapshot and not log.
func (o Offset) InSnapshot() bool {
	return o.Kind == BeforeAll || o.Kind == At && o.Tx == 0
}
