package trigger

import (
	"errors"
	"strconv"
	"strings"
)

// path is where in metadata a value is: names of objects' members (string) and
// places in lists (int). The first is a name, and there is one.
type path []any

// parsePath reads the key of an operation.
func parsePath(key string) (path, error) {
	rest, is := strings.CutPrefix(key, "$.")
	if !is {
		return path{key}, nil
	}
	var p path
	for step := range strings.SplitSeq(rest, ".") {
		name, indexes, _ := strings.Cut(step, "[")
		if name == "" {
			return nil, errors.New("is a path with an empty step")
		}
		p = append(p, name)
		for indexes != "" {
			digits, after, closed := strings.Cut(indexes, "]")
			i, err := strconv.Atoi(digits)
			if !closed || err != nil || i < 0 {
				return nil, errors.New("is a path with a place that is no number from 0")
			}
			p = append(p, i)
			if after != "" && after[0] != '[' {
				return nil, errors.New("is a path with something behind a bracket")
			}
			indexes = strings.TrimPrefix(after, "[")
			if after == "[" {
				return nil, errors.New("is a path with an open bracket")
			}
		}
	}
	return p, nil
}

func (p path) get(v any) (any, bool) {
	for _, step := range p {
		switch at := step.(type) {
		case string:
			o, _ := v.(map[string]any)
			w, there := o[at]
			if !there {
				return nil, false
			}
			v = w
		case int:
			list, _ := v.([]any)
			if at >= len(list) {
				return nil, false
			}
			v = list[at]
		}
	}
	return v, true
}

// set puts a value at the path, and makes what is missing on the way. It does
// nothing where something else is in the way, or where a list would get a gap: one
// operation could make it as long as it likes.
func (p path) set(root map[string]any, value any) bool {
	_, ok := p.put(root, value)
	return ok
}

// put gives v with the value set in it.
func (p path) put(v, value any) (any, bool) {
	if len(p) == 0 {
		return value, true
	}
	switch at := p[0].(type) {
	case string:
		o, is := v.(map[string]any)
		if !is {
			if v != nil {
				return v, false
			}
			o = map[string]any{}
		}
		w, ok := p[1:].put(o[at], value)
		if ok {
			o[at] = w
		}
		return o, ok
	case int:
		list, is := v.([]any)
		if !is && v != nil || at > len(list) {
			return v, false
		}
		if at == len(list) {
			w, ok := p[1:].put(nil, value)
			return append(list, w), ok
		}
		w, ok := p[1:].put(list[at], value)
		if ok {
			list[at] = w
		}
		return list, ok
	}
	return v, false
}
