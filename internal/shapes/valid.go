package shapes

import "encoding/binary"

// Valid says that b is one JSON text, as encoding/json.Valid does, and that it is not
// nested deeper than an array of messages may be.
//
// It is for bodies that are read whole, of which a Scanner follows only strings and
// brackets. encoding/json calls a function for each byte and takes four times as long
// (BenchmarkValid), while everybody who is to be told waits.
func Valid(b []byte) bool {
	end := strictValue(b, skipSpace(b, 0), 1+mostNested)
	return end > 0 && skipSpace(b, end) == len(b)
}

// strictValue gives the index behind the value that begins at i, 0 if none does. It is
// nested in itself so many times at most.
func strictValue(b []byte, i, nested int) int {
	if i >= len(b) {
		return 0
	}
	switch c := b[i]; {
	case c == '"':
		return strictString(b, i)
	case (c == '{' || c == '[') && nested > 0:
		return strictNest(b, i, nested-1)
	case c == '-' || '0' <= c && c <= '9':
		return strictNumber(b, i)
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return 0
}

// strictNest is strictValue for an object or an array.
func strictNest(b []byte, i, nested int) int {
	object, end := b[i] == '{', b[i]+2 // which is how the brackets stand in ASCII
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == end {
		return i + 1
	}
	for {
		if object {
			if i >= len(b) || b[i] != '"' {
				return 0
			}
			if i = strictString(b, i); i == 0 {
				return 0
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return 0
			}
			i = skipSpace(b, i+1)
		}
		if i = strictValue(b, i, nested); i == 0 {
			return 0
		}
		if i = skipSpace(b, i); i >= len(b) {
			return 0
		}
		switch b[i] {
		case end:
			return i + 1
		case ',':
			i = skipSpace(b, i+1)
		default:
			return 0
		}
	}
}

// strictString is strictValue for what begins with a quote.
func strictString(b []byte, i int) int {
	for i++; ; i++ {
		if i = plain(b, i); i >= len(b) {
			return 0
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return 0
		case c == '\\':
			if i = strictEscape(b, i+1); i == 0 {
				return 0
			}
		}
	}
}

// plain gives the index behind what stands at i and is nothing but itself in a string.
func plain(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		controls := (x - ones*' ') &^ x & highs // and maybe what is above the lowest of these
		if odd := equal(x, ones*'"') | equal(x, ones*'\\') | controls; odd != 0 {
			return i + first(odd)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// strictEscape gives the index of the last byte of what stands behind a backslash, 0 if
// that is no escape.
func strictEscape(b []byte, i int) int {
	if i >= len(b) {
		return 0
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if len(b)-i < len("uXXXX") {
			return 0
		}
		for _, c := range b[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return 0
			}
		}
		return i + 4
	}
	return 0
}

// strictNumber is strictValue for what begins with a digit or a minus.
func strictNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || b[i] == '0' && whole > i+1 {
		return 0
	}
	i = whole
	if i < len(b) && b[i] == '.' {
		fraction := digits(b, i+1)
		if fraction == i+1 {
			return 0
		}
		i = fraction
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exponent := digits(b, i)
		if exponent == i {
			return 0
		}
		i = exponent
	}
	return i
}

// digits gives the index behind the digits that stand at i.
func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
