package trigger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Operation is a change of metadata, as the SDK writes it down. A Key that begins
// with "$." is a path, such as $.steps[0].name; any other is a name as it stands.
type Operation struct {
	Type  string          `json:"type"`            // set, delete, append, remove, increment or update
	Key   string          `json:"key,omitempty"`   // of all but update
	Value json.RawMessage `json:"value,omitempty"` // of all but delete; update takes an object
}

// What a request may change of metadata at once.
const (
	MaxOperations = 1000            // of one run, of its parent's and of its root's each
	mostHeld      = 4 * MaxMetadata // bytes, of metadata and operations as they came
)

func (o Operation) check(field string) error {
	refuse := func(part, reason string) error { return &InvalidError{Field: field + part, Reason: reason} }
	switch o.Type {
	case "set", "append", "remove", "increment", "update":
		if tooDeep(o.Value) {
			return refuse(".value", depthReason)
		}
		v, err := decode(o.Value)
		if err != nil || checkText("", string(o.Value), 0) != nil {
			return refuse(".value", "is not JSON")
		}
		if _, is := v.(json.Number); o.Type == "increment" && !is {
			return refuse(".value", "is not a number")
		}
		if _, is := v.(map[string]any); o.Type == "update" && !is {
			return refuse(".value", "is not an object")
		}
	case "delete":
	default:
		return refuse(".type", "is none of set, delete, append, remove, increment and update")
	}
	if o.Type != "update" && o.Key == "" {
		return refuse(".key", "is empty")
	}
	if err := checkText(field+".key", o.Key, 1024); err != nil {
		return err
	}
	if o.Type == "delete" || o.Type == "update" {
		return nil
	}
	if _, err := parsePath(o.Key); err != nil {
		return refuse(".key", err.Error())
	}
	return nil
}

// apply makes operations on metadata, and says whether any had an effect. Names in
// an object come out in the order of the alphabet.
func apply(metadata string, operations []Operation) (after string, changed bool, err error) {
	root, err := object(metadata)
	if err != nil {
		root = map[string]any{} // the platform begins anew as well
	}
	size := len(metadata)
	for _, o := range operations {
		// Whatever is removed again, more than this is not held at once.
		if size += len(o.Key) + len(o.Value); size > mostHeld {
			return metadata, false, &InvalidError{Field: "operations", Reason: fmt.Sprintf("have more than %d bytes with the metadata they are made on", mostHeld), TooLarge: true}
		}
		if o.Type == "update" {
			v, err := decode(o.Value)
			if err != nil {
				return metadata, false, err // check has read it
			}
			root, changed = v.(map[string]any), true
			continue
		}
		did, err := o.apply(root)
		if err != nil {
			return metadata, false, err
		}
		changed = changed || did
	}
	if !changed {
		return metadata, false, nil
	}
	b, err := json.Marshal(root)
	if err != nil {
		return metadata, false, fmt.Errorf("trigger: write metadata: %w", err)
	}
	if tooDeep(b) {
		return metadata, false, &InvalidError{Field: "metadata", Reason: "would have lists and objects more than 1000 deep within each other"}
	}
	if len(b) > MaxMetadata {
		return metadata, false, &InvalidError{Field: "metadata", Reason: fmt.Sprintf("would have more than %d bytes", MaxMetadata), TooLarge: true}
	}
	return string(b), true, nil
}

// apply makes one operation, other than update.
func (o Operation) apply(root map[string]any) (did bool, err error) {
	if o.Type == "delete" { // of a name only, never along a path
		_, did = root[o.Key]
		delete(root, o.Key)
		return did, nil
	}
	at, err := parsePath(o.Key)
	if err != nil {
		return false, err
	}
	value, err := decode(o.Value)
	if err != nil {
		return false, err
	}
	current, there := at.get(root)
	list, isList := current.([]any)
	switch o.Type {
	case "append":
		switch {
		case isList:
			list = append(list, value) // nobody else has it: each value was decoded for its place
			value = list
		case there:
			value = []any{current, value}
		default:
			value = []any{value}
		}
	case "remove":
		if !isList {
			return false, nil
		}
		value = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return same(v, value) })
	case "increment":
		sum := number(current) + number(value)
		if math.IsInf(sum, 0) || math.IsNaN(sum) {
			return false, &InvalidError{Field: "operations", Reason: "would make a number that JSON does not have"}
		}
		value = sum
	}
	return at.set(root, value), nil
}

// number is a JSON number as JavaScript counts; anything else is 0.
func number(v any) float64 {
	switch n := v.(type) {
	case json.Number:
		f, _ := n.Float64() // too large is infinite, which is no sum
		return f
	case float64:
		return n
	}
	return 0
}

// same compares values, and numbers by what they say: 1.0 is 1.
func same(a, b any) bool {
	if x, ok := a.(map[string]any); ok {
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name, v := range x {
			if w, there := y[name]; !there || !same(v, w) {
				return false
			}
		}
		return true
	}
	if x, ok := a.([]any); ok {
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	}
	if isNumber(a) && isNumber(b) {
		return number(a) == number(b)
	}
	return reflect.DeepEqual(a, b)
}

func isNumber(v any) bool {
	switch v.(type) {
	case json.Number, float64:
		return true
	}
	return false
}

var errNoObject = errors.New("not a JSON object")

// object reads metadata. None is an empty object.
func object(metadata string) (map[string]any, error) {
	if metadata == "" {
		return map[string]any{}, nil
	}
	v, err := decode([]byte(metadata))
	if err != nil {
		return nil, err
	}
	if o, ok := v.(map[string]any); ok {
		return o, nil
	}
	return nil, errNoObject
}

// decode reads a JSON value, with its numbers as they are written.
func decode(b []byte) (v any, err error) {
	if !json.Valid(b) { // a decoder would leave what follows a value
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return v, d.Decode(&v)
}
