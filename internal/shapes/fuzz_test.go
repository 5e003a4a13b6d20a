package shapes

import (
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// recordedAnswers gives what Electric was recorded to answer, for seeds: the
// bodies that are small, and the values of one header.
func recordedAnswers(f *testing.F, header string) (bodies, values []string) {
	f.Helper()
	files, err := filepath.Glob("../../tests/transcripts/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no recordings", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var script struct {
			Steps []struct {
				Response struct {
					Headers [][2]string
					Body    string
				}
			}
		}
		if err := json.Unmarshal(data, &script); err != nil {
			f.Fatal(err)
		}
		for _, step := range script.Steps {
			if body := step.Response.Body; len(body) > 0 && len(body) < 1500 && len(bodies) < 60 {
				bodies = append(bodies, body)
			}
			for _, h := range step.Response.Headers {
				if h[0] == header {
					values = append(values, h[1])
				}
			}
		}
	}
	return bodies, values
}

var offsetForm = regexp.MustCompile(`^(?:(-1)|(now)|\+?([0-9]+)_(?:\+?([0-9]+)|(inf))|-1_(\+?0+))$`)

// naiveOffset is the grammar of log_offset.ex as one regular expression, and
// numbers of any size.
func naiveOffset(s string) (Offset, bool) {
	m := offsetForm.FindStringSubmatch(s)
	if m == nil {
		return Offset{}, false
	}
	if m[1] != "" || m[6] != "" {
		return Offset{}, true
	}
	if m[2] != "" {
		return Offset{Kind: Now}, true
	}
	tx, _ := new(big.Int).SetString(m[3], 10)
	o := Offset{Kind: AtEnd, Tx: tx.Uint64()}
	op := new(big.Int)
	if m[5] == "" {
		op.SetString(m[4], 10)
		o.Kind, o.Op = At, uint32(op.Uint64())
	}
	return o, tx.BitLen() <= 64 && op.BitLen() <= 32
}

// FuzzParseOffset: what is an offset, and which, is as in the naive model; and
// the text written for it is read as the same.
func FuzzParseOffset(f *testing.F) {
	_, offsets := recordedAnswers(f, "electric-offset")
	for _, s := range offsets[:20] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, valid := naiveOffset(s)
		got, err := ParseOffset(s)
		if (err == nil) != valid || valid && got != want {
			t.Fatalf("%q: got %+v, %v; want %+v, valid %v", s, got, err, want, valid)
		}
		if err != nil {
			if len(err.Error()) > 400 {
				t.Fatalf("the error has %d bytes", len(err.Error()))
			}
			return
		}
		if again, err := ParseOffset(got.String()); err != nil || again != got || again.Compare(got) != 0 {
			t.Fatalf("%q is written %q, which is read as %+v, %v", s, got, again, err)
		}
	})
}

// FuzzMergeSchemas: the order of the sides does not matter, and a merged schema
// is one that can be merged again and stays as it is.
func FuzzMergeSchemas(f *testing.F) {
	_, headers := recordedAnswers(f, "electric-schema")
	for i, h := range headers {
		if i%40 == 0 && i > 0 {
			f.Add(h, headers[i-1])
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if one, err := MergeSchemas(a); err == nil {
			if again, err := MergeSchemas(one, one); err != nil || again != one {
				t.Fatalf("%s alone is %s, and merged with itself %s, %v", a, one, again, err)
			}
		}
		ab, errAB := MergeSchemas(a, b)
		ba, errBA := MergeSchemas(b, a)
		if ab != ba || errors.Is(errAB, ErrMalformed) != errors.Is(errBA, ErrMalformed) || (errAB == nil) != (errBA == nil) {
			t.Fatalf("%s and %s: %q, %v; the other way %q, %v", a, b, ab, errAB, ba, errBA)
		}
		var mismatch *ColumnMismatch
		if errAB != nil {
			if !errors.As(errAB, &mismatch) && !errors.Is(errAB, ErrMalformed) {
				t.Fatalf("%s and %s: %v", a, b, errAB)
			}
			return
		}
		var columns map[string]map[string]any
		if err := json.Unmarshal([]byte(ab), &columns); err != nil || columns == nil {
			t.Fatalf("%s: %v", ab, err)
		}
		for name, c := range columns {
			if kind, _ := c["type"].(string); !has(c, "dims") && len(kind) > 0 && kind[0] == '_' {
				t.Fatalf("column %q has the type %q and no dims", name, kind)
			}
		}
		for _, again := range [][]string{{ab}, {ab, ab}, {ab, ab, ab}} {
			if got, err := MergeSchemas(again...); err != nil || got != ab {
				t.Fatalf("%s merged with itself is %s, %v", ab, got, err)
			}
		}
	})
}

func has(c map[string]any, member string) bool {
	_, has := c[member]
	return has
}
