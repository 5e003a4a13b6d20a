package platform

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// fields reads the members of a JSON object by their exact names, and notes what
// is wrong with them: encoding/json alone would take "TTL" for ttl.
type fields struct {
	members map[string]json.RawMessage
	path    []string
	issues  *[]issue
}

// newFields reads an object. What is none is an issue.
func newFields(text json.RawMessage, issues *[]issue, path ...string) fields {
	f := fields{path: path, issues: issues}
	if kind := kindOf(text); kind != "object" {
		f.wrongType("", "object", kind)
		return f
	}
	if err := json.Unmarshal(text, &f.members); err != nil {
		f.wrong("", "is not JSON")
	}
	return f
}

// kindOf is the type of a JSON value, as JavaScript calls it.
func kindOf(text json.RawMessage) string {
	if len(text) == 0 {
		return "undefined"
	}
	switch text[0] { // no white space stands before a value that encoding/json cut out
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func (f fields) at(name string) []string {
	if name == "" {
		return slices.Clone(f.path)
	}
	return append(slices.Clone(f.path), name)
}

// maxIssues is how many things wrong with a body are noted. What is wrong with more
// is wrong in the same way, and an answer is not to be larger than the request.
const maxIssues = 20

func (f fields) note(code, name, message string) {
	if len(*f.issues) < maxIssues {
		*f.issues = append(*f.issues, issue{code, f.at(name), message})
	}
}

func (f fields) wrong(name, message string) { f.note("custom", name, message) }

func (f fields) wrongType(name, want, got string) {
	f.note("invalid_type", name, fmt.Sprintf("Expected %s, received %s", want, got))
}

// has says whether there is a member, and notes one of another type than those
// wanted.
func (f fields) has(name string, want ...string) bool {
	kind := kindOf(f.members[name])
	if kind == "undefined" {
		return false
	}
	if !slices.Contains(want, kind) {
		f.wrongType(name, want[0], kind)
		return false
	}
	return true
}

// required notes that a member is missing.
func (f fields) required(name, kind string) {
	if len(f.members[name]) == 0 {
		f.wrongType(name, kind, "undefined")
	}
}

// text reads a text of at most so many characters; 0: any. It is "" if there is
// none.
func (f fields) text(name string, most int) string {
	if !f.has(name, "string") {
		return ""
	}
	var s string
	if json.Unmarshal(f.members[name], &s) != nil {
		f.wrong(name, "is not a text")
	}
	if strings.ContainsRune(s, 0) {
		f.wrong(name, "holds a NUL character, which cannot be stored")
	}
	if most > 0 && utf8.RuneCountInString(s) > most {
		f.wrong(name, fmt.Sprintf("%s must be %d characters or less", name, most))
		return ""
	}
	return s
}

func (f fields) flag(name string) bool {
	return f.has(name, "boolean") && string(f.members[name]) == "true"
}

// number reads a number between two bounds; 0 if there is none.
func (f fields) number(name string, least, most float64) float64 {
	if !f.has(name, "number") {
		return 0
	}
	var n float64
	if json.Unmarshal(f.members[name], &n) != nil || n < least || n > most || math.IsNaN(n) {
		f.wrong(name, fmt.Sprintf("Number must be from %g to %g", least, most))
		return 0
	}
	return n
}

func (f fields) integer(name string, least, most float64) int32 {
	n := f.number(name, least, most)
	if n != math.Trunc(n) {
		f.wrongType(name, "integer", "float")
		return 0
	}
	return int32(n)
}

// object reads a member that is an object; ok is false if there is none.
func (f fields) object(name string) (o fields, ok bool) {
	if !f.has(name, "object") {
		return fields{}, false
	}
	return newFields(f.members[name], f.issues, f.at(name)...), true
}

// maxTexts is how many texts a list may have. Each list has a smaller bound of its
// own; this one is for those that need not be read to be refused.
const maxTexts = 1000

// texts reads a text or a list of texts, each of at most so many characters.
func (f fields) texts(name string, most int) []string {
	if !f.has(name, "array", "string") {
		return nil
	}
	if kindOf(f.members[name]) == "string" {
		return []string{f.text(name, most)}
	}
	if n := elements(f.members[name]); n > maxTexts {
		f.wrong(name, fmt.Sprintf("has %d elements, and %d is the most", n, maxTexts))
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(f.members[name], &list) != nil {
		f.wrong(name, "is not a list")
	}
	texts := make([]string, len(list))
	for i, item := range list {
		inner := fields{map[string]json.RawMessage{fmt.Sprint(i): item}, f.at(name), f.issues}
		texts[i] = inner.text(fmt.Sprint(i), most)
	}
	return texts
}
