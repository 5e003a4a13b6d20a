package platform_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

var fuzzed = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// FuzzTrigger: whatever the body of a trigger is, it is refused with a 4xx, or a
// 501, that is JSON, or read into what can be stored.
func FuzzTrigger(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"payload":{"a":1},"context":{"b":[1]},"options":{"tags":["a","b"],"ttl":90,"delay":"1h30m","metadata":{"m":1}}}`,
		`{"payload":"{\"json\":1}","options":{"payloadType":"application/super+json","idempotencyKey":"k","idempotencyKeyTTL":"1d","idempotencyKeyOptions":{"key":"k","scope":"run"}}}`,
		`{"options":{"queue":{"name":"q"},"concurrencyKey":7,"machine":"micro","maxAttempts":3,"maxDuration":60.5,"priority":-1.5,"test":true,"region":"r","parentRunId":"run_x","resumeParentOnCompletion":true}}`,
		`{"options":{"delay":1767225600000,"tags":"a","ttl":"1d12h","metadata":"{\"a\":1}","metadataType":"application/json"}}`,
		`{"options":{"delay":"2026-03-01T12:00:00Z","debounce":{}}}`, `{"payload":"` + "\xff" + `"}`, `{"payload":"\u0000"}`, `{"payload":"\ud800"}`,
		`[]`, `null`, `{"options":null}`, `{"options":{"ttl":1e308,"maxAttempts":-1}}`, `{"a":1}{"b":2}`, strings.Repeat(`{"payload":`, 30) + "1" + strings.Repeat("}", 30),
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := platform.ParseTrigger(body, fuzzed)
		if err != nil {
			status, answer := platform.Answered(err)
			if status < 400 || status > 499 && status != http.StatusNotImplemented || !json.Valid(answer) {
				t.Errorf("%q is answered with %d %s", body, status, answer)
			}
			return
		}
		for name, text := range map[string]string{
			"payload": r.Payload, "type": r.PayloadType, "key": r.IdempotencyKey, "metadata": r.Metadata, "queue": r.Queue, "ttl": r.TTL,
			"concurrency key": r.ConcurrencyKey, "region": r.Region, "tags": strings.Join(r.Tags, ""),
		} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("%q is read with the %s %q, which Postgres cannot keep", body, name, text)
			}
		}
		if (r.PayloadType == "" || r.PayloadType == "application/json") && r.Payload != "" && !json.Valid([]byte(r.Payload)) {
			t.Errorf("%q is read with the payload %q, which is not JSON", body, r.Payload)
		}
		if utf8.RuneCountInString(r.IdempotencyKey) > trigger.MaxKey || len(r.Tags) > trigger.MaxTags || r.MaxAttempts < 0 || r.MaxDuration < 0 {
			t.Errorf("%q is read as %+v", body, r)
		}
		if year := r.DelayUntil.Year(); !r.DelayUntil.IsZero() && (year < 1970 || year > 9999) {
			t.Errorf("%q is delayed until %v", body, r.DelayUntil)
		}
	})
}

// FuzzList: whatever the query of a list is, it is refused with a 400, or a 501, that
// does not repeat it, or read into what the store can be asked.
func FuzzList(f *testing.F) {
	for _, query := range []string{
		"", "page[size]=10&page[after]=AQAA&filter[status]=COMPLETED,QUEUED", "filter[tag]=a,b&filter[taskIdentifier]=t&filter[version]=1&filter[queue]=q",
		"filter[createdAt][from]=1767225600000&filter[createdAt][to]=2026-03-01T00:00:00Z&filter[createdAt][period]=1d12h",
		"filter[batch]=batch_x&filter[isTest]=false&filter[machine]=micro&filter[region]=r&filter[schedule]=s&filter[bulkAction]=b",
		"page[before]=x&page[after]=y", "filter[x]=1", "page[size]=-1", "filter[error]=a", "filter[tag]=%00", "filter[tag]=%ff", "a;b", "filter[tag]=%zz", "page%5Bsize%5D=5&other=1",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := platform.ParseList(raw, fuzzed)
		if err != nil {
			status, answer := platform.Answered(err)
			if status != 400 && status != http.StatusNotImplemented || !json.Valid(answer) {
				t.Errorf("%q is answered with %d %s", raw, status, answer)
			}
			return
		}
		if q.Limit < 1 || q.Limit > 100 || q.Order != runstore.NewestFirst || q.After != "" && q.Before != "" || q.Offset != 0 {
			t.Errorf("%q is read as %+v", raw, q)
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Errorf("%q is read, and is no query: %v", raw, err)
		}
		if tags := values.Get("filter[tag]"); (tags != "") != (q.Filter.AnyTag != nil) {
			t.Errorf("%q is read with the tags %q", raw, q.Filter.AnyTag)
		}
		for _, text := range append(append(q.Filter.AnyTag, q.Filter.TaskIdentifiers...), q.Filter.Queues...) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("%q is read with %q, which Postgres cannot be asked for", raw, text)
			}
		}
		for _, at := range []time.Time{q.Filter.CreatedFrom, q.Filter.CreatedBefore} {
			if year := at.Year(); !at.IsZero() && (year < 1900 || year > 10_000) {
				t.Errorf("%q is read with the time %v", raw, at)
			}
		}
	})
}

// What is fuzzed is what a client would be told.
func TestAnswered(t *testing.T) {
	_, err := platform.ParseTrigger([]byte(`{"options":{"ttl":true}}`), fuzzed)
	if status, answer := platform.Answered(err); status != 400 || !strings.Contains(string(answer), "options.ttl") {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := platform.Answered(errors.New("a fault")); status != 500 {
		t.Errorf("a fault is %d", status)
	}
}
