package merge

import (
	"fmt"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// What is remembered is what it was made of, errors are not, and there is an end to it.
func TestSchemasAreRemembered(t *testing.T) {
	var s schemas
	text, number := `{"id":{"type":"text","not_null":true}}`, `{"id":{"type":"int4"}}`
	loose := `{"id":{"type":"text"}}`
	for range 2 {
		for _, of := range [][]string{{text}, {loose}, {text, text}, {text, loose}, {loose, text}, {number, number}, {text, number}, {""}, {text, ""}} {
			got, err := s.merge(of)
			want, wantErr := shapes.MergeSchemas(of...)
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("of %q: got %q, %v, want %q, %v", of, got, err, want, wantErr)
			}
		}
	}
	if len(s.merged) != 6 {
		t.Errorf("%d are remembered", len(s.merged))
	}
	for i := range 3 * mostSchemas {
		if _, err := s.merge([]string{fmt.Sprintf(`{"c%d":{"type":"text"}}`, i)}); err != nil || len(s.merged) > mostSchemas {
			t.Fatalf("%d are remembered, %v", len(s.merged), err)
		}
	}
}
