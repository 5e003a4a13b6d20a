package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

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
// keys that messages have.
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
			want[fmt.Sprintf(`"public".%s/"%s"`, tables[table], id)] = r
		}
		if err := rows.Err(); err != nil {
			w.t.Fatal(err)
		}
	})
	return want
}

// settled waits until the client holds in every feed what the database has now.
// The SDK takes no notice of deletes: of a run that is gone or left the feed it
// keeps the last state it was given. So the SDK may hold other runs too, if they
// were in the feed at an earlier call with the same seen, or were deleted.
func (w *world) settled(d *driver, seen memory, feeds ...subscription) {
	w.t.Helper()
	for _, s := range feeds {
		want := w.wanted(s)
		if d.client.sdk {
			want = asRuns(w, want)
		}
		former := seen.add(s.ID, want)
		v := d.feeds[s.ID]
		// What the client should not hold and may.
		excused := func(id string) bool { return d.client.sdk && (former[id] || w.deleted[id]) }
		d.await("the rows of the "+s.Kind+" "+s.ID,
			func() bool { return v.held != nil && same(want, v.held, excused) },
			func() string { return fmt.Sprintf("%v\n%s", v, differences(want, v.held, excused)) })
	}
}

// same says whether held is want, with nothing else but what is excused.
func same(want, held map[string]row, excused func(key string) bool) bool {
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

// memory is which keys were wanted in each feed so far.
type memory map[string]map[string]bool

// add remembers the keys of a feed, and returns all that it ever had.
func (m memory) add(feed string, rows map[string]row) map[string]bool {
	if m[feed] == nil {
		m[feed] = make(map[string]bool)
	}
	for key := range rows {
		m[feed][key] = true
	}
	return m[feed]
}

// asRuns are rows as the SDK gives them to its user: another name here and
// there, times as times, payload and the like parsed, NULL left out.
func asRuns(w *world, rows map[string]row) map[string]row {
	w.t.Helper()
	runs := make(map[string]row)
	for _, r := range rows {
		out := row{
			"id": r["friendlyId"], "taskIdentifier": r["taskIdentifier"], "isTest": r["isTest"], "durationMs": r["usageDurationMs"],
			"costInCents": r["costInCents"], "baseCostInCents": r["baseCostInCents"],
			"tags": orNone(r["runTags"]), "realtimeStreams": orNone(r["realtimeStreams"]),
		}
		for name, column := range map[string]string{
			"createdAt": "createdAt", "updatedAt": "updatedAt", "startedAt": "startedAt", "delayedUntil": "delayUntil",
			"queuedAt": "queuedAt", "expiredAt": "expiredAt", "finishedAt": "completedAt",
		} {
			if text, ok := r[column].(string); ok {
				at, err := time.Parse(time.DateTime, text)
				if err != nil {
					w.t.Fatal(err)
				}
				out[name] = at.Format("2006-01-02T15:04:05.000Z")
			}
		}
		for _, name := range []string{"payload", "metadata", "output"} {
			if text, ok := r[name].(string); ok {
				var value any
				if err := json.Unmarshal([]byte(text), &value); err != nil {
					w.t.Fatalf("%s: %v", name, err)
				}
				out[name] = value
			}
		}
		if fault, ok := r["error"].(map[string]any); ok {
			out["error"] = map[string]any{"name": fault["name"], "message": fault["message"], "stackTrace": fault["stackTrace"]}
		}
		maps.Copy(out, asStatus(r["status"].(string)))
		runs[out["id"].(string)] = out
	}
	return runs
}

func orNone(list any) any {
	if list == nil {
		return []any{}
	}
	return list
}

// asStatus is what the SDK makes of a status: its own word, and flags.
func asStatus(status string) row {
	word, known := map[string]string{
		"PENDING": "QUEUED", "DELAYED": "DELAYED", "EXECUTING": "EXECUTING",
		"COMPLETED_SUCCESSFULLY": "COMPLETED", "COMPLETED_WITH_ERRORS": "FAILED", "CANCELED": "CANCELED",
	}[status]
	if !known {
		panic("the tests write no run of status " + status)
	}
	is := func(words ...string) bool { return slices.Contains(words, word) }
	return row{
		"status": word, "isQueued": is("QUEUED", "DELAYED"), "isWaiting": false, "isExecuting": is("EXECUTING"),
		"isCompleted": is("COMPLETED", "FAILED"), "isFailed": is("FAILED"),
		"isSuccess": is("COMPLETED"), "isCancelled": is("CANCELED"),
	}
}
