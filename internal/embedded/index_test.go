package embedded

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// TestIndexFindsEveryShape: the index may name a shape that a row does not
// concern, but never misses one that it does, also after others were removed.
func TestIndexFindsEveryShape(t *testing.T) {
	columns := []string{"id", scopeColumn, "batchId", "other", "runTags"}
	relation := &replication.Relation{}
	for _, c := range columns {
		relation.Columns = append(relation.Columns, replication.Column{Name: c})
	}
	l := &layout{relation: relation}
	rapid.Check(t, func(t *rapid.T) {
		x := newTableIndex()
		word := rapid.SampledFrom([]string{"", "a", "b", "c"})
		var all []*shape
		for range rapid.IntRange(0, 12).Draw(t, "shapes") {
			q := &query{}
			for _, c := range columns {
				switch {
				case rapid.IntRange(0, 2).Draw(t, c) > 0:
				case c == "runTags":
					q.tests = append(q.tests, containsAll{c, rapid.SliceOfN(word, 1, 2).Draw(t, "tags")})
				default:
					q.tests = append(q.tests, equalText{c, word.Draw(t, "value")})
				}
			}
			sh := &shape{query: q}
			all = append(all, sh)
			x.add(sh)
		}
		for i := 0; i < len(all); {
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				x.remove(all[i])
				x.remove(all[i])
				all = slices.Delete(all, i, i+1)
				continue
			}
			i++
		}
		row := make(replication.Tuple, len(columns))
		for i, c := range columns {
			row[i].Text = word.Draw(t, "row "+c)
			if c == "runTags" {
				tags := rapid.SliceOfN(rapid.SampledFrom([]string{`""`, "a", "b", "NULL"}), 0, 3).Draw(t, "row tags")
				row[i].Text = "{" + strings.Join(tags, ",") + "}"
			}
			row[i].Null = c != "id" && rapid.IntRange(0, 5).Draw(t, "null") == 0
		}
		x.follow(relation)
		found := map[*shape]bool{}
		x.find(row, func(sh *shape) { found[sh] = true })
		for _, sh := range all {
			l.tests = nil
			for _, test := range sh.query.tests {
				l.tests = append(l.tests, slices.Index(columns, test.column()))
			}
			if sh.query.selects(l, row) && !found[sh] {
				t.Fatalf("row %v: the shape of %+v is not found", row, sh.query.tests)
			}
		}
		for sh := range found {
			if !slices.Contains(all, sh) {
				t.Fatal("a removed shape is found")
			}
		}
		for _, sh := range all {
			x.remove(sh)
		}
		if len(x.shapes)+len(x.buckets)+len(x.equal)+len(x.arrays) > 0 {
			t.Fatalf("an empty index holds %+v", x)
		}
	})
}

// TestIndexIsSelective: a row brings up the shapes of its own environment's tag,
// however many others there are.
func TestIndexIsSelective(t *testing.T) {
	x := newTableIndex()
	relation := &replication.Relation{Columns: []replication.Column{{Name: scopeColumn}, {Name: "runTags"}}}
	for env := range 100 {
		for tag := range 10 {
			x.add(&shape{query: &query{tests: []test{
				equalText{scopeColumn, string(rune('A' + env))}, containsAll{"runTags", []string{string(rune('a' + tag))}},
			}}})
		}
	}
	x.follow(relation)
	n := 0
	x.find(replication.Tuple{{Text: "A"}, {Text: "{a,c,z}"}}, func(*shape) { n++ })
	if n != 2 {
		t.Errorf("%d shapes are looked at, want 2 of 1000", n)
	}
}
