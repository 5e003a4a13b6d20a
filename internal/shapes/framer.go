package shapes

// mostNested is how deep a message may be nested, of which a bit a level is kept.
const mostNested = 64

// framer finds the end of a JSON object, over as many pieces as it takes.
type framer struct {
	quoting
	depth int
	kinds uint64 // one bit a level, the innermost lowest: 1 is an object

	// The first objects and arrays right inside the object, so that nobody has to
	// look for their ends again. A message has two or three.
	nested [4]extent
	met    int
}

// extent says where a value is.
type extent struct{ from, to int }

// feed looks at b from i on; earlier bytes are the object's beginning, seen
// before. It gives the index it got to, and whether the object ends there.
func (f *framer) feed(b []byte, i int) (int, bool, error) {
	for ; len(b)-i >= block; i += block {
		for marks := f.outside((*[block]byte)(b[i:])); marks != 0; marks &= marks - 1 {
			at := i + first(marks)
			if done, err := f.bracket(b[at], at); done || err != nil {
				return at + 1, done, err
			}
		}
	}
	for ; i < len(b); i++ { // the same, a byte at a time
		c := b[i]
		switch {
		case f.escaped != 0:
			f.escaped = 0
		case c == '"':
			f.inside = ^f.inside
		case c == '\\' && f.inside != 0:
			f.escaped = 1
		case f.inside == 0:
			if done, err := f.bracket(c, i); done || err != nil {
				return i + 1, done, err
			}
		}
	}
	return i, false, nil
}

// bracket takes in a byte that is in no string, at i, and says whether the object ends
// with it.
func (f *framer) bracket(c byte, i int) (done bool, err error) {
	switch c {
	case '{', '[':
		if f.depth == mostNested {
			return false, malformed("a message is nested deeper than %d levels", mostNested)
		}
		if f.depth == 1 && f.met < len(f.nested) {
			f.nested[f.met].from = i
			f.met++
		}
		f.depth++
		f.kinds <<= 1
		if c == '{' {
			f.kinds |= 1
		}
	case '}', ']':
		if (c == '}') != (f.kinds&1 == 1) {
			return false, malformed("%q closes the wrong bracket", c)
		}
		f.depth--
		f.kinds >>= 1
		switch f.depth {
		case 0:
			return true, nil
		case 1:
			if last := &f.nested[f.met-1]; last.to == 0 {
				last.to = i + 1
			}
		}
	case '\\':
		return false, malformed("a backslash outside a string")
	}
	return false, nil
}
