package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// The columns that a subscriber gets, by how they are compared.
var (
	plainColumns = []string{
		"id", "taskIdentifier", "friendlyId", "number", "isTest", "status", "usageDurationMs", "costInCents", "baseCostInCents", "ttl",
		"payload", "payloadType", "metadata", "metadataType", "output", "outputType", "runTags", "error", "realtimeStreams",
	}
	// timeColumns come as Postgres writes them, which JSON functions do not.
	timeColumns = []string{"createdAt", "updatedAt", "startedAt", "delayUntil", "queuedAt", "expiredAt", "completedAt"}
)

// wanted are the rows of a feed as the database has them: both tables, by the
// keys that messages have. The world remembers that it had them.
func (w *world) wanted(s subscription) map[string]row {
	w.t.Helper()
	var condition, value string
	switch s.Kind {
	case "tag":
		// The window is a day, and may reach an hour further back.
		condition, value = `$2 = ANY ("runTags") AND "createdAt" > now() AT TIME ZONE 'utc' - interval '25 hours'`, s.ID
	case "batch":
		condition, value = `"batchId" = (SELECT id FROM "BatchTaskRun" WHERE "friendlyId" = $2)`, s.ID
	case "run":
		condition, value = `"friendlyId" = $2`, s.ID
	default:
		w.t.Fatalf("a subscription to a %q", s.Kind)
	}
	var columns []string
	for _, c := range plainColumns {
		columns = append(columns, `"`+c+`"`)
	}
	for _, c := range timeColumns {
		columns = append(columns, fmt.Sprintf(`"%s"::text`, c))
	}
	want := make(map[string]row)
	both(func(table runid.Table) {
		rows, err := w.db.Query(w.t.Context(), fmt.Sprintf(
			`SELECT id, to_json(r) FROM (SELECT %s FROM %s WHERE "runtimeEnvironmentId" = $1 AND %s) r`,
			strings.Join(columns, ", "), tables[table], condition), w.demo.EnvironmentID, value)
		if err != nil {
			w.t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var text []byte
			var r row
			if err := rows.Scan(&id, &text); err != nil {
				w.t.Fatal(err)
			}
			if err := json.Unmarshal(text, &r); err != nil {
				w.t.Fatal(err)
			}
			want[key(table, id)] = r
			w.former.add(s.ID, r["friendlyId"].(string))
		}
		if err := rows.Err(); err != nil {
			w.t.Fatal(err)
		}
	})
	return want
}

// gives is what a client makes of rows for its application.
func (c client) gives(rows map[string]row) (map[string]row, error) {
	out := make(map[string]row)
	for key, r := range rows {
		if r["status"] == "DEQUEUED" && !c.sendsVersion {
			r = maps.Clone(r)
			r["status"] = "EXECUTING"
		}
		switch c.form {
		case rowsByKey:
			out[key] = r
		case rowsByID:
			out[r["id"].(string)] = r
		case runs:
			given, err := c.sdk.run(r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[given["id"].(string)] = given
		}
	}
	return out, nil
}

// same says whether held is want, with nothing else but what is excused.
func same(want, held map[string]row, excused func(key string) bool) bool {
	if len(held) < len(want) {
		return false
	}
	for key, r := range held {
		if w, wanted := want[key]; wanted && !reflect.DeepEqual(w, r) || !wanted && !excused(key) {
			return false
		}
	}
	for key := range want {
		if _, ok := held[key]; !ok {
			return false
		}
	}
	return true
}

// differences says in which rows held is not want, and of a few how.
func differences(want, held map[string]row, excused func(key string) bool) string {
	const most = 3
	var text strings.Builder
	var missing, surplus, different []string
	for key, w := range want {
		switch h, ok := held[key]; {
		case !ok:
			missing = append(missing, key)
		case !cmp.Equal(w, h):
			if different = append(different, key); len(different) <= most {
				fmt.Fprintf(&text, "%s: what it should be (-) and is (+):\n%s", key, cmp.Diff(w, h))
			}
		}
	}
	for key := range held {
		if _, wanted := want[key]; !wanted && !excused(key) {
			surplus = append(surplus, key)
		}
	}
	return fmt.Sprintf("missing: %v\nnot wanted: %v\ndifferent: %v\n%s", missing, surplus, different, text.String())
}

// key is that of the messages about a row.
func key(table runid.Table, id string) string {
	return fmt.Sprintf(`"public".%s/"%s"`, tables[table], id)
}

// memory is which runs were in each feed so far.
type memory map[string]map[string]bool

func (m memory) add(feed, friendly string) {
	if m[feed] == nil {
		m[feed] = make(map[string]bool)
	}
	m[feed][friendly] = true
}
