package platform

// elements counts the elements of a JSON array, so that one that is too long is
// refused before it is read: a list of a few bytes each takes many times its size in
// memory. The array is known to be valid JSON.
func elements(array []byte) (n int) {
	depth, some := 0, false
	for i := 0; i < len(array); i++ {
		switch array[i] {
		case '[', '{':
			some = some || depth == 1
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 1 {
				n++
			}
		case '"':
			some = true
			i = endOfText(array, i)
		case ' ', '\t', '\r', '\n':
		default:
			some = true
		}
	}
	if some {
		n++ // one more than there are commas
	}
	return n
}

// endOfText is where the JSON text that begins at an index ends.
func endOfText(text []byte, at int) int {
	for at++; at < len(text) && text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at
}
