package blackbox

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Prevents that what is shared for speed leaks: two share an upstream call, and
// with it the bytes of its answer, only if environment, columns and conditions
// of what they may see are equal; and then they do.
func TestTwoShareOnlyWhatBothMaySee(t *testing.T) {
	shared, apart := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		first, second := drawAsker(rt, "first"), drawAsker(rt, "second")
		if rapid.Bool().Draw(rt, "the second is like the first, but for one thing") {
			other := second
			second = first
			second.name = "second"
			switch rapid.IntRange(0, 6).Draw(rt, "which") {
			case 0:
				second.environment = other.environment
			case 1:
				second.token, second.hides, second.scopes = other.token, other.hides, other.scopes
			case 2:
				second.id = other.id
			case 3:
				second.tags = other.tags
			case 4:
				second.within = other.within
			case 5:
				second.skip = other.skip
			case 6:
				second.tags = slices.Clone(first.tags)
				slices.Reverse(second.tags)
			}
		}
		held, err := (&alikes{}).together(t, first, second)
		if err != nil {
			rt.Fatal(err)
		}
		want := first.sides()
		if first.shape() == second.shape() {
			shared++
		} else {
			apart++
			want += second.sides()
		}
		if len(held) != want {
			rt.Fatalf("%d upstream calls, want %d:\n%s\nfor %+v\nand %+v", len(held), want, strings.Join(held, "\n"), first, second)
		}
	})
	if t.Logf("%d pairs shared, %d did not", shared, apart); shared < 10 || apart < 10 {
		t.Error("the pairs were not mixed")
	}
}
