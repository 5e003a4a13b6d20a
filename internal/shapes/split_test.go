package shapes

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Split gives back what was put together, message by message, as far as it is asked.
func TestSplit(t *testing.T) {
	one := rapid.SampledFrom([]string{
		`{}`, `{"key":"a","value":{"x":"},{"},"headers":{"operation":"insert"}}`, `{"a":[{"b":"\"]"}, {}],"c":{"d":"é\\"}}`, "{ \"a\" :\n1 }",
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(one, 0, 8).Draw(t, "messages")
		var rows [][]byte
		for _, m := range want {
			rows = append(rows, []byte(m))
		}
		most := rapid.IntRange(0, 8).Draw(t, "most")
		var got []string
		for m := range Split(bytes.Join(rows, []byte(","))) {
			if len(got) == most {
				break
			}
			got = append(got, string(m))
		}
		if !slices.Equal(got, want[:min(most, len(want))]) {
			t.Fatalf("got %q of %q", got, want)
		}
	})
}
