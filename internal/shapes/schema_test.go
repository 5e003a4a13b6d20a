package shapes

import (
	"errors"
	"strings"
	"testing"
)

func TestMergeSchemas(t *testing.T) {
	for name, c := range map[string]struct {
		in   []string
		want string
	}{
		"one side":            {[]string{`{"id":{"type":"text","not_null":true,"pk_index":0}}`}, `{"id":{"not_null":true,"pk_index":0,"type":"text"}}`},
		"equal":               {[]string{`{"a":{"type":"timestamp","precision":3}}`, `{"a":{"precision":3,"type":"timestamp"}}`}, `{"a":{"precision":3,"type":"timestamp"}}`},
		"not_null on one":     {[]string{`{"a":{"type":"text","not_null":true}}`, `{"a":{"type":"text"}}`}, `{"a":{"type":"text"}}`},
		"not_null on other":   {[]string{`{"a":{"type":"text"}}`, `{"a":{"type":"text","not_null":true}}`}, `{"a":{"type":"text"}}`},
		"pk_index differs":    {[]string{`{"a":{"type":"text","pk_index":0}}`, `{"a":{"type":"text","pk_index":1}}`}, `{"a":{"type":"text"}}`},
		"table made by LIKE":  {[]string{`{"a":{"type":"text","dims":1}}`, `{"a":{"type":"_text"}}`}, `{"a":{"dims":1,"type":"text"}}`},
		"both made by LIKE":   {[]string{`{"a":{"type":"_int4"}}`, `{"a":{"type":"_int4"}}`}, `{"a":{"dims":1,"type":"int4"}}`},
		"one side, by LIKE":   {[]string{`{"a":{"type":"_text"}}`}, `{"a":{"dims":1,"type":"text"}}`},
		"an enumeration type": {[]string{`{"s":{"type":"TaskRunStatus"}}`, `{"s":{"type":"TaskRunStatus"}}`}, `{"s":{"type":"TaskRunStatus"}}`},
	} {
		if got, err := MergeSchemas(c.in...); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestMergeSchemasRefuses(t *testing.T) {
	for name, in := range map[string][]string{
		"type":          {`{"a":{"type":"text"}}`, `{"a":{"type":"int4"}}`},
		"dims":          {`{"a":{"type":"text","dims":1}}`, `{"a":{"type":"text"}}`},
		"precision":     {`{"a":{"type":"timestamp","precision":3}}`, `{"a":{"type":"timestamp","precision":6}}`},
		"missing left":  {`{"b":{"type":"text"}}`, `{"a":{"type":"text"},"b":{"type":"text"}}`},
		"missing right": {`{"a":{"type":"text"},"b":{"type":"text"}}`, `{"b":{"type":"text"}}`},
	} {
		var mismatch *ColumnMismatch
		if got, err := MergeSchemas(in...); !errors.As(err, &mismatch) || mismatch.Column != "a" || !strings.Contains(mismatch.Error(), `column "a" differs between the two run tables`) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, header := range []string{"", "null", "[]", `{"a":1}`, `{"a":`} {
		if _, err := MergeSchemas(header); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", header, err)
		}
	}
}
