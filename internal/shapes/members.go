package shapes

// span says where a member stands in its object: from..to is what to take out
// to remove it, one comma included; value is where its value begins.
type span struct{ from, to, value int }

// members calls visit for every member of the object that b, already framed,
// is. Nested values are stepped over, not looked into; nested are those, in
// order, whose ends are known already.
func members(b []byte, nested []extent, visit func(key, value []byte, at span) error) error {
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == '}' {
		return nil
	}
	from := i // where the member begins, or the comma before it
	for {
		key := i
		if key >= len(b) || b[key] != '"' {
			return malformed("a member of an object has no name")
		}
		keyEnd := skipString(b, key)
		i = skipSpace(b, keyEnd)
		if i >= len(b) || b[i] != ':' {
			return malformed("no colon after the name of a member")
		}
		value := skipSpace(b, i+1)
		var end int
		if len(nested) > 0 && nested[0].from == value {
			end, nested = nested[0].to, nested[1:]
		} else {
			end = skipValue(b, value)
		}
		if end == value {
			return malformed("a member of an object has no value")
		}
		i = skipSpace(b, end)
		if i >= len(b) {
			return malformed("an object ends too early")
		}
		at := span{from: from, to: end, value: value}
		if b[from] != ',' && b[i] == ',' {
			at.to = i + 1 // the first member takes the comma behind it
		}
		if err := visit(b[key:keyEnd], b[value:end], at); err != nil {
			return err
		}
		switch b[i] {
		case '}':
			return nil
		case ',':
			from = i
			i = skipSpace(b, i+1)
		default:
			return malformed("%q between the members of an object", b[i])
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipValue gives the index behind the value that begins at i, or i if none
// does. Numbers and literals are taken by their characters only.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		f := framer{}
		end, done, err := f.feed(b, i)
		if err != nil || !done {
			return i
		}
		return end
	}
	for i < len(b) {
		switch c := b[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			i++
		default:
			return i
		}
	}
	return i
}
