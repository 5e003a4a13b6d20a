package cursor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// The kinds of a side's place, as they stand in the number.
const (
	kindUnopened = iota
	kindBeforeAll
	kindChunk       // 0_n
	kindSnapshotEnd // 0_inf
	kindChange      // <tx>_<op>, tx above 0
	kindTransaction // <tx>_inf, tx above 0
)

const (
	kindBits  = 3
	upToDate  = 1 << kindBits
	stateBits = kindBits + 1
)

// errUnfit says that an upstream named an offset that no answer can name.
var errUnfit = errors.New("an upstream offset does not fit into a cursor")

// pack puts both places into one number.
func pack(sides [Sides]shapes.Progress) (n number, err error) {
	at := uint(0)
	put := func(value uint64, width uint) {
		n.put(value, at)
		at += width
	}
	for _, side := range sides {
		kind, err := kindOf(side)
		if err != nil {
			return number{}, err
		}
		state := uint64(kind)
		if side.UpToDate && side.Opened {
			state |= upToDate
		}
		put(state, stateBits)
		switch kind {
		case kindChunk:
			put(uint64(side.Offset.Op), 32)
		case kindTransaction:
			put(side.Offset.Tx, 64)
		case kindChange:
			put(side.Offset.Tx, 64)
			put(uint64(side.Offset.Op), 32)
		}
	}
	return n, nil
}

func kindOf(side shapes.Progress) (int, error) {
	o := side.Offset
	switch {
	case !side.Opened:
		return kindUnopened, nil
	case o.Kind == shapes.BeforeAll:
		return kindBeforeAll, nil
	case o.Kind == shapes.At && o.Tx == 0:
		return kindChunk, nil
	case o.Kind == shapes.AtEnd && o.Tx == 0:
		return kindSnapshotEnd, nil
	case o.Kind == shapes.At:
		return kindChange, nil
	case o.Kind == shapes.AtEnd:
		return kindTransaction, nil
	default:
		return 0, fmt.Errorf("%w: %s", errUnfit, o)
	}
}

// maxDigits is the length of the largest number that pack can make.
const maxDigits = 61

// offsetEnd makes the number one of Electric's offsets.
const offsetEnd = "_0"

// unpack reads "<number>_0", in the one text that pack's number has.
func unpack(offset string) ([Sides]shapes.Progress, error) {
	var sides [Sides]shapes.Progress
	digits, ok := strings.CutSuffix(offset, offsetEnd)
	if !ok || digits == "" || len(digits) > maxDigits || digits[0] == '0' {
		return sides, invalid("the offset is not of our making")
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return sides, invalid("the offset is not of our making")
		}
	}
	n := parseDecimal(digits)
	rest := n
	for i := range sides {
		side := &sides[i]
		state := rest.take(stateBits)
		side.Opened, side.UpToDate = true, state&upToDate != 0
		switch state &^ upToDate {
		case kindUnopened:
			side.Opened = false
		case kindBeforeAll:
		case kindChunk:
			side.Offset = shapes.SnapshotChunk(uint32(rest.take(32)))
		case kindSnapshotEnd:
			side.Offset = shapes.SnapshotEnd
		case kindChange:
			tx := rest.take(64)
			side.Offset = shapes.LogOffset(tx, uint32(rest.take(32)))
		case kindTransaction:
			side.Offset = shapes.Offset{Kind: shapes.AtEnd, Tx: rest.take(64)}
		default:
			return sides, invalid("the offset has an unknown kind")
		}
	}
	if again, err := pack(sides); err != nil || again != n {
		return sides, invalid("the offset is not the one number of its state")
	}
	return sides, nil
}
