package trigger_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// The least that a request can say makes a run that a worker could take.
func TestTheLeast(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, table runid.Table) {
		before := time.Now().Truncate(time.Millisecond)
		run := f.make(t, trigger.Request{Environment: ours, Task: "a/task"})
		if run.Table() != table || run.FriendlyID != "run_"+run.ID {
			t.Errorf("%s, called %s, is in %s", run.ID, run.FriendlyID, run.Table())
		}
		if run.QueuedAt == nil || run.QueuedAt.Before(before) {
			t.Errorf("it was queued at %v", run.QueuedAt)
		}
		if hex := regexp.MustCompile(`^[0-9a-f]+$`); len(run.TraceID) != 32 || len(run.SpanID) != 16 || !hex.MatchString(run.TraceID+run.SpanID) {
			t.Errorf("trace %q, span %q", run.TraceID, run.SpanID)
		}
		want := runstore.Run{
			ID: run.ID, FriendlyID: run.FriendlyID, Engine: "V2", Status: runstore.Pending, TaskIdentifier: "a/task",
			Payload: "{}", PayloadType: "application/json", TraceID: run.TraceID, SpanID: run.SpanID,
			EnvironmentID: ours.ID, EnvironmentType: ptr("PRODUCTION"), ProjectID: ours.ProjectID, OrganizationID: ptr(ours.OrganizationID),
			Queue: "task/a/task", WorkerQueue: "main", QueuedAt: run.QueuedAt, CreatedAt: run.CreatedAt, UpdatedAt: run.UpdatedAt,
			BulkActionGroupIDs: []string{}, SeedMetadataType: "application/json", MetadataType: "application/json", MetadataVersion: 1,
			OutputType: "application/json", RealtimeStreamsVersion: "v1", RealtimeStreams: []string{},
		}
		if diff := cmp.Diff(want, f.read(t, run)); diff != "" {
			t.Error(diff)
		}
	})
}

// Everything that a request can say is in the row.
func TestTheMost(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, table runid.Table) {
		until, expires := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond), time.Now().Add(2*time.Hour).UTC().Truncate(time.Millisecond)
		run := f.make(t, trigger.Request{
			Environment: ours, Task: "task", Payload: "text", PayloadType: "text/plain", Context: json.RawMessage(`{"c": 1}`), IsTest: true,
			Metadata: `{"m":1}`, Tags: []string{"a", "b"}, Annotations: json.RawMessage(`{"a": 1}`),
			Queue: "q", WorkerQueue: "w", Region: "r", ConcurrencyKey: "k", PriorityMs: 5, DelayUntil: until, TTL: "10m",
			MaxAttempts: 3, MaxDuration: 60, Machine: "small-1x", PlanType: "free", BatchID: "b", ScheduleID: "s", ReplayedFrom: "run_x",
			IdempotencyKey: "key of " + table.String(), IdempotencyKeyExpiresAt: expires, IdempotencyKeyOptions: &trigger.IdempotencyScope{Key: "mine", Scope: "global"},
			OneTimeUseToken: "token of " + table.String(), Trace: trigger.Trace{TraceID: "t", SpanID: "s", ParentSpanID: "p", Context: json.RawMessage(`{"t": 1}`)}, StreamsVersion: "v2",
		})
		want := runstore.Run{
			ID: run.ID, FriendlyID: run.FriendlyID, Engine: "V2", Status: runstore.Delayed, TaskIdentifier: "task", IsTest: true,
			Payload: "text", PayloadType: "text/plain", Context: json.RawMessage(`{"c": 1}`), TraceContext: json.RawMessage(`{"t": 1}`),
			TraceID: "t", SpanID: "s", ParentSpanID: ptr("p"),
			IdempotencyKey: ptr("key of " + table.String()), IdempotencyKeyExpiresAt: &expires, IdempotencyKeyOptions: json.RawMessage(`{"key": "mine", "scope": "global"}`),
			OneTimeUseToken: ptr("token of " + table.String()), EnvironmentID: ours.ID, EnvironmentType: ptr("PRODUCTION"), ProjectID: ours.ProjectID, OrganizationID: ptr(ours.OrganizationID),
			Queue: "q", WorkerQueue: "w", Region: ptr("r"), ConcurrencyKey: ptr("k"), PriorityMs: 5, DelayUntil: &until, TTL: ptr("10m"),
			CreatedAt: run.CreatedAt, UpdatedAt: run.UpdatedAt, MaxAttempts: ptr(int32(3)), MaxDurationInSeconds: ptr(int32(60)), MachinePreset: ptr("small-1x"),
			PlanType: ptr("free"), Tags: []string{"a", "b"}, BulkActionGroupIDs: []string{}, ScheduleID: ptr("s"), ReplayedFromFriendlyID: ptr("run_x"), BatchID: ptr("b"),
			SeedMetadata: ptr(`{"m":1}`), SeedMetadataType: "application/json", Metadata: ptr(`{"m":1}`), MetadataType: "application/json", MetadataVersion: 1,
			Annotations: json.RawMessage(`{"a": 1}`), OutputType: "application/json", RealtimeStreamsVersion: "v2", RealtimeStreams: []string{},
		}
		if diff := cmp.Diff(want, f.read(t, run)); diff != "" {
			t.Error(diff)
		}
	})
}

// An empty text that has a type is a payload, and not the one of none.
func TestAnEmptyText(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, table runid.Table) {
		run := f.make(t, trigger.Request{Environment: ours, Task: "task", Payload: "", PayloadType: "text/plain"})
		if kept := f.read(t, run); kept.Payload != "" || kept.PayloadType != "text/plain" {
			t.Errorf("kept as %q of type %s", kept.Payload, kept.PayloadType)
		}
	})
}

// A request that cannot be kept is refused by name, and leaves nothing.
func TestRefused(t *testing.T) {
	f := newFixture(t, nil)
	long := strings.Repeat("é", 10_000)
	for name, c := range map[string]struct {
		change func(*trigger.Request)
		field  string
	}{
		"no task":              {func(r *trigger.Request) { r.Task = "" }, "taskId"},
		"NUL in the task":      {func(r *trigger.Request) { r.Task = "a\x00" }, "taskId"},
		"a long key":           {func(r *trigger.Request) { r.IdempotencyKey = long }, "options.idempotencyKey"},
		"NUL in a key":         {func(r *trigger.Request) { r.IdempotencyKey = "a\x00b" }, "options.idempotencyKey"},
		"a key not UTF-8":      {func(r *trigger.Request) { r.IdempotencyKey = "a\xff" }, "options.idempotencyKey"},
		"NUL in a token":       {func(r *trigger.Request) { r.OneTimeUseToken = "\x00" }, "oneTimeUseToken"},
		"a long token":         {func(r *trigger.Request) { r.OneTimeUseToken = long }, "oneTimeUseToken"},
		"NUL in the payload":   {func(r *trigger.Request) { r.Payload = "\x00" }, "payload"},
		"payload not UTF-8":    {func(r *trigger.Request) { r.Payload = "\xc3\x28" }, "payload"},
		"metadata not JSON":    {func(r *trigger.Request) { r.Metadata = "{" }, "options.metadata"},
		"a tag not UTF-8":      {func(r *trigger.Request) { r.Tags = []string{"\xff"} }, "options.tags"},
		"an empty tag":         {func(r *trigger.Request) { r.Tags = []string{"a", ""} }, "options.tags"},
		"a long tag":           {func(r *trigger.Request) { r.Tags = []string{strings.Repeat("é", 129)} }, "options.tags"},
		"many tags":            {func(r *trigger.Request) { r.Tags = make([]string, 11) }, "options.tags"},
		"context not JSON":     {func(r *trigger.Request) { r.Context = json.RawMessage("{") }, "context"},
		"NUL in JSON":          {func(r *trigger.Request) { r.Context = json.RawMessage(`{"a":"\u0000"}`) }, "context"},
		"half a pair":          {func(r *trigger.Request) { r.Trace.Context = json.RawMessage(`{"\ud800":1}`) }, "traceContext"},
		"a huge number":        {func(r *trigger.Request) { r.Annotations = json.RawMessage(`[1e200000]`) }, "annotations"},
		"deep context":         {func(r *trigger.Request) { r.Context = nested(1001) }, "context"},
		"deep metadata":        {func(r *trigger.Request) { r.Metadata = string(nested(1001)) }, "options.metadata"},
		"a key of many bytes":  {func(r *trigger.Request) { r.IdempotencyKey = strings.Repeat("😀", 2048) }, "options.idempotencyKey"},
		"a task of many bytes": {func(r *trigger.Request) { r.Task = strings.Repeat("😀", 1024) }, "taskId"},
		"task and key":         {func(r *trigger.Request) { r.Task, r.IdempotencyKey = noise(1024), noise(2048) }, "options.idempotencyKey"},
		"a delay of ages":      {func(r *trigger.Request) { r.DelayUntil = time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC) }, "options.delay"},
		"a key for ages": {func(r *trigger.Request) {
			withKey(r)
			r.IdempotencyKeyExpiresAt = time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC)
		}, "options.idempotencyKeyTTL"},
		"a negative number":   {func(r *trigger.Request) { r.MaxAttempts = -1 }, "options.maxAttempts"},
		"another scope":       {func(r *trigger.Request) { r.IdempotencyKeyOptions = &trigger.IdempotencyScope{Scope: "x"} }, "options.idempotencyKeyOptions.scope"},
		"a parent's row id":   {func(r *trigger.Request) { r.ParentRun = f.mint.Mint(runid.V2) }, "options.parentRunId"},
		"a parent not a run":  {func(r *trigger.Request) { r.ParentRun = "batch_a" }, "options.parentRunId"},
		"a parent with a NUL": {func(r *trigger.Request) { r.ParentRun = "run_\x00" }, "options.parentRunId"},
		"waiting of nobody":   {func(r *trigger.Request) { r.ResumeParent = true }, "options.resumeParentOnCompletion"},
	} {
		for _, table := range runid.Tables() {
			r := request(c.change)
			checked := r.Check()
			_, err := f.at(table).Trigger(t.Context(), r)
			if checked == nil || err == nil || checked.Error() != err.Error() {
				t.Errorf("%s: the check says %v, and Trigger %v", name, checked, err)
			}
			invalid, ok := errors.AsType[*trigger.InvalidError](err)
			if !ok || invalid.Field != c.field || invalid.TooLarge || len(err.Error()) > 200 || !utf8.ValidString(err.Error()) || strings.ContainsRune(err.Error(), 0) {
				t.Errorf("%s: %v, want it refused for %s", name, err, c.field)
			}
		}
	}
	_, err := f.Trigger(t.Context(), request(func(r *trigger.Request) { r.Metadata = `"` + strings.Repeat("a", trigger.MaxMetadata) + `"` }))
	if invalid, ok := errors.AsType[*trigger.InvalidError](err); !ok || !invalid.TooLarge {
		t.Errorf("metadata that is too large: %v", err)
	}
	if n := f.count(t, "true"); n != 0 {
		t.Errorf("%d runs were made", n)
	}
}

// nested is a list in a list, so many times.
func nested(depth int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

// noise is a text that cannot be compressed.
func noise(n int) string {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{})
	for i := range b {
		b[i] = 'A' + byte(source.Uint64()%58)
	}
	return string(b)
}

// What the check lets pass is kept, up to its bounds.
func TestTheCheckLetsPass(t *testing.T) {
	eachTable(t, func(t *testing.T, f *fixture, table runid.Table) {
		for name, change := range map[string]func(*trigger.Request){
			"a long key":   func(r *trigger.Request) { r.IdempotencyKey = noise(trigger.MaxKey) },
			"key and task": func(r *trigger.Request) { r.Task, r.IdempotencyKey = noise(1000), noise(2600-1000-len(ours.ID)) },
			"far times": func(r *trigger.Request) {
				r.IdempotencyKey, r.DelayUntil = "far", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
				r.IdempotencyKeyExpiresAt = r.DelayUntil
			},
			"depth": func(r *trigger.Request) {
				r.Context, r.Metadata = nested(trigger.MaxDepth), string(nested(trigger.MaxDepth))
			},
		} {
			if _, err := f.Trigger(t.Context(), request(change)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// JSON that the check lets pass is what Postgres keeps as jsonb: what it refuses was refused
// before.
func TestContextIsJSONB(t *testing.T) {
	f := newFixture(t, nil)
	zeros := func(n int) string { return strings.Repeat("0", n) }
	for _, text := range []string{
		`"\ud800"`, `"\ud83d\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ude00"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\\ude00"`, `"\\ud800"`, `"\\\ud800"`, `"\"\\"`, `"\u0000"`, `"\\u0000"`,
		`{"\udfff":1}`, `{"a":"[{\"","b":[{}]}`, `"\uD83D\uDE00"`, `"\uFFFF"`, `"\u0001"`,
		`1e200000`, `1e131071`, `1e131072`, `-1E+131072`, `10e131071`, `1e-16383`, `1e-16384`, `0.1e-16383`, `0.1e-16382`, `1e99999999999`, `1e-99999999999`, `1` + zeros(131071), `1` + zeros(131072),
		`0.` + zeros(16382) + `1`, `0.` + zeros(16383) + `1`, `[1,2.5,-0,1e2,-1.5E-3]`, string(nested(trigger.MaxDepth)), `{"a":1,"a":2}`,
	} {
		r := request(func(r *trigger.Request) { r.Context = json.RawMessage(text) })
		checked := r.Check()
		_, err := f.pool.Exec(t.Context(), `SELECT $1::text::jsonb`, text)
		if (checked == nil) != (err == nil) {
			t.Errorf("%.40s: the check says %v, and Postgres %v", text, checked, err)
		}
		if _, err := f.Trigger(t.Context(), r); (checked == nil) != (err == nil) {
			t.Errorf("%.40s: the check says %v, and Trigger %v", text, checked, err)
		}
	}
}

// Ids that are almost KSUIDs are looked for as what they are, and not found.
func TestAlmostAKSUID(t *testing.T) {
	f := newFixture(t, nil)
	f.at(runid.V2).make(t, request())
	good := f.mint.Mint(runid.V2)
	for _, id := range []string{good, good[:26], good + "0", good[:13] + "-" + good[14:], "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "aWgEPTl1tmebfsQzFP4bxwgy80W"} {
		var notFound *trigger.NotFoundError
		if _, err := f.Trigger(t.Context(), request(func(r *trigger.Request) { r.ParentRun = "run_" + id })); !errors.As(err, &notFound) || notFound.What != "parent run" {
			t.Errorf("a parent %s: %v", id, err)
		}
		if _, err := f.Cancel(t.Context(), ours.ID, "run_"+id, ""); !errors.As(err, &notFound) || notFound.What != "run" {
			t.Errorf("cancel %s: %v", id, err)
		}
	}
	if n := f.count(t, "true"); n != 1 {
		t.Errorf("%d runs, not 1", n)
	}
}

// Of several things wrong with a request or a change it is the same that is said each time.
func TestOneRefusal(t *testing.T) {
	f := newFixture(t, nil)
	far := time.Date(10_000, 1, 2, 0, 0, 0, 0, time.UTC)
	bad := json.RawMessage("{")
	large := []trigger.Operation{{Type: "set", Key: "a", Value: json.RawMessage(`"` + strings.Repeat("x", 4*trigger.MaxMetadata) + `"`)}}
	of := func(change func(*trigger.Request)) func() error {
		r := request(change)
		return r.Check
	}
	update := func(c trigger.MetadataChange) func() error {
		return func() error {
			_, err := f.UpdateMetadata(t.Context(), ours.ID, "run_x", c)
			return err
		}
	}
	for want, check := range map[string]func() error{
		"trigger: Request.Environment has no id": of(func(r *trigger.Request) { r.Environment = auth.Environment{} }),
		"context is not JSON": of(func(r *trigger.Request) {
			r.Context, r.Annotations, r.Trace.Context = bad, bad, bad
		}),
		"annotations is not JSON":                            of(func(r *trigger.Request) { r.Annotations, r.Trace.Context = bad, bad }),
		"options.delay is not a time in the years 1 to 9999": of(func(r *trigger.Request) { r.DelayUntil, r.IdempotencyKeyExpiresAt = far, far }),
		"options.maxAttempts is negative":                    of(func(r *trigger.Request) { r.MaxAttempts, r.MaxDuration = -1, -1 }),
		"operations.0.key is empty":                          update(trigger.MetadataChange{Operations: add(""), ParentOperations: add(""), RootOperations: large}),
		"parentOperations has more than 1048576 bytes":       update(trigger.MetadataChange{ParentOperations: large, RootOperations: add("")}),
		"parentOperations.0.key is empty":                    update(trigger.MetadataChange{ParentOperations: add(""), RootOperations: make([]trigger.Operation, trigger.MaxOperations+1)}),
	} {
		for range 30 {
			if err := check(); err == nil || err.Error() != want {
				t.Errorf("%v, instead of %s", err, want)
				break
			}
		}
	}
}
