package electric

import (
	"net/url"
	"strings"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// definition makes the Definition of a recorded query. It is a stand-in, and
// same is false, where the query has a form that Define does not write: answers
// do not depend on it, but for what the recording shows.
func definition(query url.Values) (def *shapes.Definition, same bool) {
	standIn := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.Equal("runtimeEnvironmentId", "the-environment"))
	tables := map[string]shapes.Table{`public."TaskRun"`: shapes.LegacyTable, "public.task_run_v2": shapes.V2Table}
	table, known := tables[query.Get("table")]
	if !known || !query.Has("columns") {
		return standIn, false
	}
	var columns []string
	for _, c := range strings.Split(query.Get("columns"), ",") {
		name := strings.Trim(c, `"`)
		if c != `"`+name+`"` {
			return standIn, false
		}
		columns = append(columns, name)
	}
	var conditions []shapes.Condition
	for _, term := range strings.Split(query.Get("where"), " AND ") {
		c, ok := condition(term, query)
		if !ok {
			return standIn, false
		}
		conditions = append(conditions, c)
	}
	def = shapes.Define(table, columns, conditions...)
	return def, true
}

// condition reads `"column" = $n` and its kind.
func condition(term string, query url.Values) (c shapes.Condition, ok bool) {
	quoted, rest, _ := strings.Cut(term, " ")
	op, operand, _ := strings.Cut(rest, " ")
	column := strings.Trim(quoted, `"`)
	if quoted != `"`+column+`"` {
		return c, false
	}
	bound := func(placeholder string) string {
		return query.Get("params[" + strings.TrimPrefix(placeholder, "$") + "]")
	}
	switch op {
	case "=":
		return shapes.Equal(column, bound(operand)), bound(operand) != ""
	case ">":
		at, err := time.Parse(time.RFC3339, bound(operand))
		return shapes.After(column, at), err == nil
	case "@>":
		list, isArray := strings.CutPrefix(strings.TrimSuffix(operand, "]"), "ARRAY[")
		var values []string
		for _, p := range strings.Split(list, ",") {
			values = append(values, bound(p))
			ok = isArray && bound(p) != ""
		}
		return shapes.ContainsAll(column, values), ok
	}
	return c, false
}

// spelled is a query with what does not change its meaning made alike: the
// order of columns, and of the values of the one list.
func spelled(query url.Values) map[string]string {
	same := map[string]string{"log": "full"}
	var bound []string
	for name, values := range query {
		if strings.HasPrefix(name, "params[") {
			bound = append(bound, values[0])
			continue
		}
		same[name] = values[0]
	}
	delete(same, "cursor")
	same["columns"] = sortedList(strings.Split(same["columns"], ","))
	same["params"] = sortedList(bound)
	return same
}
