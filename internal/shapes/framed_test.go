package shapes

import (
	"bytes"
	"strings"
	"testing"
)

func TestFramed(t *testing.T) {
	var f Framed
	body, length := f.Body([]byte(`{"a":1},{"b":2}`), []byte(`{"end":1}`))
	if string(body) != `[{"a":1},{"b":2},{"end":1}]` || length != "27" {
		t.Errorf("%s, %s", body, length)
	}
	again, length := f.Body([]byte("not looked at"), []byte(`{"end":1}`))
	if &again[0] != &body[0] || length != "27" {
		t.Errorf("made again: %s", again)
	}
	if other, _ := f.Body([]byte(`{"a":1},{"b":2}`), []byte(`{"end":2}`)); other != nil {
		t.Errorf("another end: %s", other)
	}
	if same, _ := f.Body(nil, []byte(`{"end":1}`)); &same[0] != &body[0] {
		t.Error("another end took the place of the first")
	}
	var large Framed
	if body, _ := large.Body(bytes.Repeat([]byte("x"), framedBytes+1), []byte("{}")); body != nil {
		t.Errorf("%d bytes were copied", len(body))
	}
	if body, length := large.Body([]byte(strings.Repeat("x", framedBytes)), []byte("{}")); len(body) != framedBytes+5 || length != "262149" {
		t.Errorf("%d bytes, said to be %s", len(body), length)
	}
}
