package embedded

import (
	"net/url"
	"testing"
)

const addRun = `INSERT INTO "TaskRun" (id, "friendlyId", "taskIdentifier", payload, "traceId", "spanId", "runtimeEnvironmentId", "projectId", queue, "updatedAt", "runTags", "createdAt")
	VALUES ($1, 'run_' || $1, 't', '{}', '', '', $2, 'p', 'q', '2026-08-21', $3, '2026-08-21')`

func tagFeed(env string, tags ...string) url.Values {
	q := url.Values{
		"table": {`public."TaskRun"`}, "columns": {`"id","status","runTags","isTest"`}, "log": {"full"},
		"params[1]": {env},
		"offset":    {"-1"},
	}
	where, n := `"runtimeEnvironmentId" = $1`, 1
	if len(tags) > 0 {
		where += ` AND "runTags" @> ARRAY[`
		for i, tag := range tags {
			if i > 0 {
				where += ","
			}
			n++
			where += "$" + string(rune('0'+n))
			q.Set("params["+string(rune('0'+n))+"]", tag)
		}
		where += "]"
	}
	q.Set("where", where)
	return q
}

func TestFeedIsFollowed(t *testing.T) {
	b := newBench(t, Config{})
	b.exec(addRun, "a", "env", []string{"x", "y"})
	q := tagFeed("env", "x")
	snap := b.get(q)
	if snap.status != 200 || snap.offset() != "0_0" || snap.summary(t) != "insert a, snapshot-end" {
		t.Fatalf("%d %s %s", snap.status, snap.offset(), snap.body)
	}
	q = with(q, "handle", snap.handle(), "offset", snap.offset())
	next := b.get(q)
	if next.offset() != "0_inf" || next.summary(t) != "up-to-date" {
		t.Fatalf("%d %s %s", next.status, next.offset(), next.body)
	}
	q = with(q, "offset", next.offset(), "live", "true")
	held := b.hold("insert", q)
	b.write(addRun, "b", "env", []string{"x"})
	news := b.answer(held)
	if news.summary(t) != "insert b, up-to-date" {
		t.Fatalf("%d %s %s", news.status, news.offset(), news.body)
	}
}
