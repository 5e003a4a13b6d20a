package platform_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/platform"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// What is wrong with a request is a 4xx that says what, and nothing is written.
func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	run := w.trigger("task", nil)
	const post, get, put = http.MethodPost, http.MethodGet, http.MethodPut
	at, list := "/api/v1/tasks/task/trigger", "/api/v1/runs?"
	of := "/api/v1/runs/" + run
	long := strings.Repeat("k", 10_000)
	large := strings.Repeat("€", 1000) // no more characters than a key may have, but 3,000 bytes
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		says         string // a part of the answer
	}{
		// bodies
		"no body":            {post, at, nil, 400, "Invalid JSON"},
		"no JSON":            {post, at, "{", 400, "Invalid JSON"},
		"two values":         {post, at, "{}{}", 400, "Invalid JSON"},
		"no object":          {post, at, "[]", 400, "Expected object, received array"},
		"deep":               {post, at, strings.Repeat("[", 1_000_000), 400, "Invalid JSON"},
		"not UTF-8":          {post, at, "{\"payload\":\"\xff\"}", 400, "Invalid JSON"},
		"10 MB":              {post, at, object{"payload": strings.Repeat("x", 10<<20)}, 413, "Request body too large"},
		"10 MB, in chunks":   {post, at, struct{ *strings.Reader }{strings.NewReader(`"` + strings.Repeat("x", 10<<20))}, 413, "Request body too large"},
		"NUL in the payload": {post, at, object{"payload": "a\x00b", "options": object{"payloadType": "text/plain"}}, 400, `holds a NUL character, which cannot be stored at \"payload\"`},
		"NUL in the context": {post, at, `{"context":{"a":"\u0000"}}`, 400, `at \"context\"`},
		"context, surrogate": {post, at, `{"context":"\ud800"}`, 422, "context has half a surrogate pair"},
		"NUL in the task":    {post, "/api/v1/tasks/a%00b/trigger", "{}", 400, "Params Error"},
		"task not UTF-8":     {post, "/api/v1/tasks/a%ffb/trigger", "{}", 400, "Params Error"},
		"long task":          {post, "/api/v1/tasks/" + long + "/trigger", "{}", 400, "Params Error"},
		// options
		"options null":         {post, at, `{"options":null}`, 400, `Expected object, received null at \"options\"`},
		"item's options null":  {post, "/api/v2/tasks/batch", `{"items":[{"task":"task","options":null}]}`, 400, `received null at \"items.0.options\"`},
		"options a list":       {post, at, `{"options":[]}`, 400, `Expected object, received array at \"options\"`},
		"long key":             {post, at, object{"options": object{"idempotencyKey": long}}, 400, "idempotencyKey must be 2048 characters or less"},
		"large key":            {post, at, object{"options": object{"idempotencyKey": large}}, 422, "and may have 2600"},
		"key with a task":      {post, "/api/v1/tasks/" + long[:1000] + "/trigger", object{"options": object{"idempotencyKey": long[:1600]}}, 422, "and may have 2600"},
		"large task":           {post, "/api/v1/tasks/" + strings.Repeat("%E2%82%AC", 1000) + "/trigger", "{}", 422, "taskId is too long"},
		"key a number":         {post, at, `{"options":{"idempotencyKey":7}}`, 400, `Expected string, received number at \"options.idempotencyKey\"`},
		"key null":             {post, at, `{"options":{"idempotencyKey":null}}`, 400, "Expected string, received null"},
		"key with a NUL":       {post, at, `{"options":{"idempotencyKey":"a\u0000"}}`, 400, "holds a NUL"},
		"no such scope":        {post, at, `{"options":{"idempotencyKey":"k","idempotencyKeyOptions":{"key":"k","scope":"x"}}}`, 400, "idempotencyKeyOptions.scope"},
		"key's life":           {post, at, `{"options":{"idempotencyKey":"k","idempotencyKeyTTL":"soon"}}`, 400, "options.idempotencyKeyTTL"},
		"delay":                {post, at, `{"options":{"delay":"soon"}}`, 400, "options.delay"},
		"delay of ages":        {post, at, `{"options":{"delay":"999999999w"}}`, 400, "options.delay"},
		"ttl":                  {post, at, `{"options":{"ttl":"soon"}}`, 400, "options.ttl"},
		"ttl below 0":          {post, at, `{"options":{"ttl":-1}}`, 400, "options.ttl"},
		"eleven tags":          {post, at, object{"options": object{"tags": strings.Split("abcdefghijk", "")}}, 422, "you're trying to set 11"},
		"long tag":             {post, at, object{"options": object{"tags": long}}, 400, "options.tags"},
		"tags of numbers":      {post, at, `{"options":{"tags":[1]}}`, 400, `received number at \"options.tags.0\"`},
		"machine":              {post, at, `{"options":{"machine":"huge"}}`, 400, "options.machine"},
		"attempts, a part":     {post, at, `{"options":{"maxAttempts":1.5}}`, 400, "options.maxAttempts"},
		"attempts, too many":   {post, at, `{"options":{"maxAttempts":1e300}}`, 400, "options.maxAttempts"},
		"test a text":          {post, at, `{"options":{"test":"yes"}}`, 400, "options.test"},
		"metadata a list":      {post, at, `{"options":{"metadata":[]}}`, 400, "options.metadata"},
		"metadata too large":   {post, at, object{"options": object{"metadata": object{"a": strings.Repeat("x", 300<<10)}}}, 413, "Metadata exceeds"},
		"stored, no name":      {post, at, `{"payload":{},"options":{"payloadType":"application/store"}}`, 400, "payload must be a non-empty string"},
		"parent, no id":        {post, at, `{"options":{"parentRunId":"run"}}`, 422, "options.parentRunId"},
		"parent, nobody":       {post, at, `{"options":{"parentRunId":"run_nobody"}}`, 403, "Unauthorized"},
		"debounce":             {post, at, `{"options":{"debounce":{"key":"a","delay":"1s"}}}`, 501, "options.debounce is not built here"},
		"debounce, and worse":  {post, at, `{"options":{"debounce":{},"ttl":"x"}}`, 400, "options.ttl"},
		"version a number":     {post, at, `{"options":{"lockToVersion":7}}`, 400, `Expected string, received number at \"options.lockToVersion\"`},
		"bulk action":          {post, at, `{"options":{"bulkActionId":7}}`, 400, "options.bulkActionId"},
		"parent batch":         {post, at, `{"options":{"parentBatch":7}}`, 400, "options.parentBatch"},
		"debounce a text":      {post, at, `{"options":{"debounce":"a"}}`, 400, "Expected object"},
		"key, long number":     {post, at, `{"options":{"concurrencyKey":1` + strings.Repeat("0", 1100) + `}}`, 400, "concurrencyKey must be 1024 characters or less"},
		"delay, long number":   {post, at, `{"options":{"delay":1` + strings.Repeat("0", 1100) + `}}`, 400, "options.delay"},
		"NUL, backslash":       {post, at, `{"context":{"\\\\\u0000":1}}`, 400, `at \"context\"`},
		"queue a text":         {post, at, `{"options":{"queue":"q"}}`, 400, "options.queue"},
		"concurrency key true": {post, at, `{"options":{"concurrencyKey":true}}`, 400, "options.concurrencyKey"},
		// ids
		"run, no id":           {get, "/api/v3/runs/task", nil, 400, "Params Error"},
		"run, escape":          {get, "/api/v3/runs/run_%2e%2e%2f", nil, 400, "Params Error"},
		"run, NUL":             {get, "/api/v3/runs/run_%00", nil, 400, "Params Error"},
		"run, nobody's":        {get, "/api/v3/runs/run_nobody", nil, 404, "Not found"},
		"run, almost a KSUID":  {get, "/api/v3/runs/run_" + strings.Repeat("z", 27), nil, 404, "Not found"},
		"run, dash in a KSUID": {get, "/api/v3/runs/run_0ujsswThIGTUYm2K8FjOOfX-Y1K", nil, 404, "Not found"},
		"cancel nobody":        {post, "/api/v2/runs/run_nobody/cancel", nil, 404, "Run not found"},
		"batch, no id":         {get, "/api/v2/batches/run_x", nil, 400, "Params Error"},
		"batch, nobody's":      {get, "/api/v2/batches/batch_x", nil, 404, "Not found"},
		// lists
		"size 0":              {get, list + "page[size]=0", nil, 400, "page[size]"},
		"size 101":            {get, list + "page[size]=101", nil, 400, "page[size]"},
		"size a text":         {get, list + "page[size]=x", nil, 400, "page[size]"},
		"cursor":              {get, list + "page[after]=nonsense", nil, 400, "page[after]"},
		"cursor, backwards":   {get, list + "page[before]=AAAA", nil, 400, "page[before]"},
		"long cursor":         {get, list + "page[after]=" + long[:9000], nil, 400, "page[after]"},
		"status":              {get, list + "filter[status]=RUNNING", nil, 400, "filter[status]"},
		"status of the table": {get, list + "filter[status]=COMPLETED_SUCCESSFULLY", nil, 400, "filter[status]"},
		"test":                {get, list + "filter[isTest]=1", nil, 400, "filter[isTest]"},
		"batch":               {get, list + "filter[batch]=run_x", nil, 400, "filter[batch]"},
		"from":                {get, list + "filter[createdAt][from]=yesterday", nil, 400, "filter[createdAt][from]"},
		"from, far":           {get, list + "filter[createdAt][from]=9223372036854775807", nil, 400, "filter[createdAt][from]"},
		"to, before":          {get, list + "filter[createdAt][to]=-99999999999999", nil, 400, "filter[createdAt][to]"},
		"period":              {get, list + "filter[createdAt][period]=1x", nil, 400, "filter[createdAt][period]"},
		"filter":              {get, list + "filter[color]=red", nil, 400, "filter[color]"},
		"error filter":        {get, list + "filter[error]=abc", nil, 501, "filter[error] is not built here"},
		"env filter":          {get, list + "filter[env]=dev", nil, 501, "filter[env] is not built here"},
		"error filter, none":  {get, list + "filter[error]=&filter[tag]=%ff", nil, 400, "filter[tag]"},
		"filter twice":        {get, list + "filter[tag]=a&filter[tag]=b", nil, 400, "filter[tag]"},
		"tag with a NUL":      {get, list + "filter[tag]=a%00", nil, 400, "filter[tag]"},
		"tag not UTF-8":       {get, list + "filter[tag]=%ff", nil, 400, "filter[tag]"},
		"101 tags":            {get, list + "filter[tag]=" + strings.Repeat("a,", 101), nil, 400, "filter[tag]"},
		"bad escape":          {get, list + "filter[tag]=%zz", nil, 400, "escape"},
		"long query":          {get, list + "x=" + long, nil, 400, "longer"},
		// changes
		"reschedule, nothing":  {post, of + "/reschedule", "{}", 400, "delay"},
		"reschedule, not late": {post, of + "/reschedule", `{"delay":"1h"}`, 422, "only a delayed run"},
		"reschedule, null":     {post, of + "/reschedule", `{"delay":null}`, 400, "delay"},
		"tags, none":           {post, of + "/tags", `{}`, 400, "tags"},
		"tags, an object":      {post, of + "/tags", `{"tags":{}}`, 400, "tags"},
		"tags, NUL":            {post, of + "/tags", `{"tags":["a\u0000"]}`, 400, "NUL"},
		"tags, eleven":         {post, of + "/tags", object{"tags": strings.Split("abcdefghijk", "")}, 422, "Runs can only have 10 tags, you're trying to set 11."},
		"metadata, a text":     {put, of + "/metadata", `{"metadata":"x"}`, 400, "metadata"},
		"operation, type":      {put, of + "/metadata", `{"operations":[{"type":"explode"}]}`, 400, "operations.0.type"},
		"operation, no type":   {put, of + "/metadata", `{"operations":[{"type":"set","key":"a","value":1},{}]}`, 400, "operations.1.type"},
		"operation, a Type":    {put, of + "/metadata", `{"operations":[{"Type":"set","key":"a","value":1}]}`, 400, "operations.0.type"},
		"operation, a text":    {put, of + "/metadata", `{"parentOperations":["set"]}`, 400, `Expected object, received string at \"parentOperations.0\"`},
		"operation, null":      {put, of + "/metadata", `{"rootOperations":[null]}`, 400, `Expected object, received null at \"rootOperations.0\"`},
		"operations an object": {put, of + "/metadata", `{"operations":{}}`, 400, `Expected array, received object at \"operations\"`},
		"operation, no key":    {put, of + "/metadata", `{"operations":[{"type":"delete"}]}`, 400, `Expected string, received undefined at \"operations.0.key\"`},
		"operation, key 7":     {put, of + "/metadata", `{"operations":[{"type":"append","key":7,"value":1}]}`, 400, `Expected string, received number at \"operations.0.key\"`},
		"operation, NUL":       {put, of + "/metadata", `{"operations":[{"type":"set","key":"a\u0000","value":1}]}`, 400, "holds a NUL"},
		"operation, no value":  {put, of + "/metadata", `{"operations":[{"type":"remove","key":"a"}]}`, 400, `received undefined at \"operations.0.value\"`},
		"increment by a text":  {put, of + "/metadata", `{"operations":[{"type":"increment","key":"a","value":"1"}]}`, 400, `Expected number, received string at \"operations.0.value\"`},
		"increment by none":    {put, of + "/metadata", `{"operations":[{"type":"increment","key":"a"}]}`, 400, `Expected number, received undefined`},
		"update by a list":     {put, of + "/metadata", `{"operations":[{"type":"update","value":[1]}]}`, 400, `Expected object, received array at \"operations.0.value\"`},
		"operation, empty key": {put, of + "/metadata", `{"operations":[{"type":"set","key":"","value":1}]}`, 422, "operations.0.key is empty"},
		"operation, bad path":  {put, of + "/metadata", `{"operations":[{"type":"set","key":"$.a[x]","value":1}]}`, 422, "operations.0.key is a path"},
		"operation, deep":      {put, of + "/metadata", `{"operations":[{"type":"set","key":"a","value":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}]}`, 422, "operations.0.value"},
		"metadata, numbers":    {put, of + "/metadata", `{"operations":[7]}`, 400, "operations"},
		"metadata, large":      {put, of + "/metadata", object{"metadata": object{"a": strings.Repeat("x", 300<<10)}}, 413, "metadata"},
		"metadata, 3 MB":       {put, of + "/metadata", object{"metadata": object{"a": strings.Repeat("x", 3<<20)}}, 413, "too large"},
		"reset, no task":       {post, "/api/v1/idempotencyKeys/k/reset", "{}", 400, "taskIdentifier"},
		"reset, nobody's":      {post, "/api/v1/idempotencyKeys/k/reset", `{"taskIdentifier":"task"}`, 404, "Idempotency key not found"},
		"reset, long":          {post, "/api/v1/idempotencyKeys/" + long + "/reset", `{"taskIdentifier":"task"}`, 400, "2048"},
		"reset, NUL":           {post, "/api/v1/idempotencyKeys/%00/reset", `{"taskIdentifier":"task"}`, 400, "Params Error"},
		"reset, not UTF-8":     {post, "/api/v1/idempotencyKeys/%ff/reset", `{"taskIdentifier":"task"}`, 400, "Params Error"},
		"reset, long task":     {post, "/api/v1/idempotencyKeys/k/reset", object{"taskIdentifier": long}, 400, "taskIdentifier must be 1024 characters or less"},
		"reset, NUL task":      {post, "/api/v1/idempotencyKeys/k/reset", `{"taskIdentifier":"a\u0000"}`, 400, "holds a NUL"},
		"replay, changed":      {post, of + "/replay", `{"payload":1}`, 501, "leave out the body"},
		// batches
		"batch of none":     {post, "/api/v3/batches", `{"runCount":0}`, 400, "runCount"},
		"batch of many":     {post, "/api/v3/batches", `{"runCount":1001}`, 400, "Maximum allowed batch size is 1000"},
		"batch, no count":   {post, "/api/v3/batches", `{}`, 400, "runCount"},
		"batch, long key":   {post, "/api/v3/batches", object{"runCount": 1, "idempotencyKey": long}, 400, "idempotencyKey"},
		"batch, NUL key":    {post, "/api/v3/batches", `{"runCount":1,"idempotencyKey":"a\u0000"}`, 400, "holds a NUL"},
		"batch, no parent":  {post, "/api/v3/batches", `{"runCount":1,"parentRunId":"run"}`, 422, "parentRunId is not the id of a run"},
		"batch, NUL parent": {post, "/api/v3/batches", `{"runCount":1,"parentRunId":"run_\u0000"}`, 400, "holds a NUL"},
		"at once, parent":   {post, "/api/v2/tasks/batch", `{"items":[{"task":"a"}],"parentRunId":"run"}`, 422, "parentRunId is not the id of a run"},
		"batch, large key":  {post, "/api/v3/batches", object{"runCount": 1, "idempotencyKey": incompressible(2048)}, 422, "A value cannot be stored"},
		"at once, large":    {post, "/api/v2/tasks/batch", object{"items": []object{{"task": "a", "options": object{"idempotencyKey": large}}}}, 422, "Item 0: options.idempotencyKey is too long: with the task and the environment's id"},
		"batch, parent":     {post, "/api/v3/batches", `{"runCount":1,"parentRunId":"run_nobody"}`, 403, "Unauthorized"},
		"items of nothing":  {post, "/api/v3/batches/batch_x/items", "{}", 404, "Not found"},
		"at once, no list":  {post, "/api/v2/tasks/batch", `{"items":{}}`, 400, "items"},
		"at once, none":     {post, "/api/v2/tasks/batch", `{"items":[]}`, 400, "items"},
		"at once, waits":    {post, "/api/v2/tasks/batch", `{"items":[{"task":"a"}],"resumeParentOnCompletion":true}`, 422, "resumeParentOnCompletion"},
		"at once, one bad":  {post, "/api/v2/tasks/batch", `{"items":[{"task":"a"},{"task":7}]}`, 400, "items.1.task"},
		"at once, debounce": {post, "/api/v2/tasks/batch", `{"items":[{"task":"a"},{"task":"b","options":{"debounce":{}}}]}`, 501, "items.1.options.debounce is not built here"},
		"at once, 10 MB":    {post, "/api/v2/tasks/batch", object{"items": []object{{"task": "a"}, {"task": "b", "payload": strings.Repeat("x", 10<<20)}}}, 413, "Item 1: The item has more than 3145728 bytes"},
		"at once, too many": {post, "/api/v2/tasks/batch", `{"items":[` + strings.Repeat("{},", 1000) + `{}]}`, 400, "Maximum allowed batch size"},
	} {
		before := w.rows()
		got := w.call(c.method, c.path, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.says) || !strings.Contains(got.body, `"error":`) ||
			c.status == http.StatusNotImplemented && got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %d %.300s, instead of %d with %s", name, got.status, got.body, c.status, c.says)
		}
		if after := w.rows(); after != before {
			t.Errorf("%s: there are %d rows more", name, after-before)
		}
	}
}

// However often the same bad request comes, its answer is the same: which of several things
// wrong with it is said, and which twenty of many, is no chance.
func TestABadRequestHasOneAnswer(t *testing.T) {
	w := newWorld(t)
	metadata := "/api/v1/runs/" + w.trigger("task", nil) + "/metadata"
	in := func(operations, parents, roots string) string {
		return fmt.Sprintf(`{"operations":%s,"parentOperations":%s,"rootOperations":%s}`, operations, parents, roots)
	}
	const noKey, noPath = `[{"type":"set","key":"","value":1}]`, `[{"type":"set","key":"$.a[x]","value":1}]`
	wrong := "[7" + strings.Repeat(",7", 11) + "]"
	long := "[7" + strings.Repeat(",7", trigger.MaxOperations) + "]"
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		says               []string // parts of the answer
	}{
		"lists of a wrong type":    {http.MethodPut, metadata, in("{}", "1", `"a"`), 400, []string{`object at \"operations\"; Expected`, `number at \"parentOperations\"; Expected`, `string at \"rootOperations\""`}},
		"more wrong than is said":  {http.MethodPut, metadata, in(wrong, wrong, wrong), 400, []string{`at \"operations.11\"; Expected`, `at \"parentOperations.7\"","details"`}},
		"two lists that are long":  {http.MethodPut, metadata, in("[]", long, long), 413, []string{`"parentOperations has 1001`}},
		"a long one and a bad one": {http.MethodPut, metadata, in(wrong, "[]", long), 413, []string{`"rootOperations has 1001`}},
		"what cannot be done":      {http.MethodPut, metadata, in("[]", noPath, noKey), 422, []string{`"parentOperations.0.key is a path`}},
		"a list":                   {http.MethodGet, "/api/v1/runs?page[size]=0&filter[isTest]=1&filter[status]=x&filter[batch]=x", "", 400, []string{`"filter[batch]"`}},
		"a run":                    {http.MethodPost, "/api/v1/tasks/task/trigger", `{"options":{"ttl":"x","delay":"x","machine":"x","tags":7}}`, 400, []string{`"options.delay\"; is not`}},
	} {
		for range 20 {
			got := w.call(c.method, c.path, c.body)
			says := got.status == c.status
			for _, part := range c.says {
				says = says && strings.Contains(got.body, part)
			}
			if !says {
				t.Errorf("%s: %d %.900s, instead of %d with %q", name, got.status, got.body, c.status, c.says)
				break
			}
		}
	}
}

// Who loses too often against other changes of the same metadata is told of those, and
// not of a key that the request does not have.
func TestBusyMetadata(t *testing.T) {
	const want = `{"error":"Others are changing the same run: try again"}`
	if status, body := platform.AnsweredChange(trigger.ErrBusy); status != http.StatusServiceUnavailable || string(body) != want {
		t.Errorf("%d %s", status, body)
	}
}

// A run that is in the trigger buffer is there in a moment: an SDK tries again.
func TestBufferedIsTriedAgain(t *testing.T) {
	w := httptest.NewRecorder()
	platform.WriteTriggerError(w, trigger.ErrBuffered)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || w.Header().Get("X-Should-Retry") == "false" || !strings.Contains(w.Body.String(), "trigger buffer") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// Who waited in vain for another use of its token is told of the token: it has no key.
func TestBusyToken(t *testing.T) {
	w := httptest.NewRecorder()
	platform.WriteTriggerError(w, trigger.ErrTokenBusy)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "one-time use token") || strings.Contains(w.Body.String(), "Idempotency") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// Who sends the items of a batch that another is making is told of no key or token: those
// of items are not the sender's.
func TestBusyItem(t *testing.T) {
	const want = `{"error":"Item 3: Another request is making the same run: try again"}`
	if status, body := platform.AnsweredItem(3, trigger.ErrTokenBusy); status != http.StatusServiceUnavailable || string(body) != want {
		t.Errorf("%d %s", status, body)
	}
	if _, body := platform.AnsweredItem(3, trigger.ErrBusy); !strings.Contains(string(body), "Item 3: Idempotency claim") {
		t.Errorf("of an item's own key: %s", body)
	}
}

// Operations are counted before they are read, and measured before their values are: a
// list of a few bytes each takes many times its size in memory.
func TestManyOperationsCostLittle(t *testing.T) {
	w := newWorld(t)
	path := "/api/v1/runs/" + w.trigger("task", nil) + "/metadata"
	large := `{"type":"set","key":"a","value":[` + strings.Repeat("1,", 900_000) + `1]}`
	for _, of := range []string{"operations", "parentOperations", "rootOperations"} {
		for list, says := range map[string]string{
			strings.Repeat("{},", 650_000) + "{}": of + " has 650001 operations",
			large:                                 of + " has more than 1048576 bytes",
		} {
			body := `{"` + of + `":[` + list + `]}`
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := w.call(http.MethodPut, path, body)
			runtime.ReadMemStats(&after)
			if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, says) || len(got.body) > 500 {
				t.Errorf("%d %.300s, and not %s", got.status, got.body, says)
			}
			if spent := (after.TotalAlloc - before.TotalAlloc) / uint64(len(body)); spent > 20 {
				t.Errorf("%s: %d bytes were allocated for each of the body", says, spent)
			}
		}
	}
}

// A batch with one item that is wrong has no runs, and is still open for better
// items.
func TestBadItems(t *testing.T) {
	w := newWorld(t)
	var batch struct{ ID string }
	w.call(http.MethodPost, "/api/v3/batches", `{"runCount":3}`).into(t, http.StatusOK, &batch)
	before := w.rows()
	good := `{"index":0,"task":"a","payload":"1"}` + "\n" + `{"index":1,"task":"b","payload":"2"}` + "\n"
	for name, c := range map[string]struct {
		last   string
		status int
		says   string
	}{
		"no JSON":        {"{", 400, "Line 3: Invalid JSON"},
		"no object":      {"7", 400, "Line 3: Validation error: Expected object"},
		"no index":       {`{"task":"c"}`, 400, `at \"index\"`},
		"index too high": {`{"index":3,"task":"c"}`, 400, "Line 3"},
		"index below 0":  {`{"index":-1,"task":"c"}`, 400, "Line 3"},
		"no task":        {`{"index":2}`, 400, `at \"task\"`},
		"option":         {`{"index":2,"task":"c","options":{"ttl":"x"}}`, 400, "options.ttl"},
		"NUL":            {`{"index":2,"task":"c","payload":"\u0000","options":{"payloadType":"text/plain"}}`, 400, "holds a NUL"},
		"debounce":       {`{"index":2,"task":"c","options":{"debounce":{"key":"a","delay":"1s"}}}`, 501, "Line 3: options.debounce is not built here"},
		"eleven tags":    {`{"index":2,"task":"c","options":{"tags":["1","2","3","4","5","6","7","8","9","10","11"]}}`, 422, "Line 3: Runs can only have 10 tags"},
		"metadata":       {`{"index":2,"task":"c","options":{"metadata":"{"}}`, 400, "options.metadata"},
		"large metadata": {`{"index":2,"task":"c","options":{"metadata":{"a":"` + strings.Repeat("x", 300<<10) + `"}}}`, 413, "Line 3: Metadata exceeds"},
		"surrogate":      {`{"index":2,"task":"c","context":"\ud800"}`, 422, "Item 2: context"},
		"large number":   {`{"index":2,"task":"c","context":1e200000}`, 422, "Item 2: context"},
		"10 MB":          {`{"index":2,"task":"c","payload":"` + strings.Repeat("x", 10<<20) + `"}`, 413, "Line 3: The item has more than 3145728 bytes"},
		"17 MB":          {strings.Repeat(" ", 17<<20), 413, "too large"},
		"missing":        {"", 200, `"sealed":false,"enqueuedCount":0,"expectedCount":3`},
	} {
		got := w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", good+c.last)
		if got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %.300s, instead of %d with %s", name, got.status, got.body, c.status, c.says)
		}
		if after := w.rows(); after != before {
			t.Fatalf("%s: there are %d rows more", name, after-before)
		}
	}
	w.call(http.MethodPost, "/api/v3/batches/"+batch.ID+"/items", good+`{"index":2,"task":"c"}`).into(t, http.StatusOK, nil)
	if after := w.rows(); after != before+3 {
		t.Errorf("the batch has %d runs", after-before)
	}
}

// Items are lines of JSON, and say so.
func TestItemsOfAnotherType(t *testing.T) {
	w := newWorld(t)
	path := "/api/v3/batches/" + w.batch(object{"runCount": 1}).ID + "/items"
	for _, kind := range []string{"", "application/json", "text/plain", "application/x-ndjson2", ";", "multipart/form-data; boundary=application/x-ndjson"} {
		got := w.call(http.MethodPost, path, lines(1), "Content-Type", kind)
		if got.status != http.StatusUnsupportedMediaType || !strings.Contains(got.body, "application/x-ndjson") || got.header.Get("X-Should-Retry") != "false" || w.rows() != 1 {
			t.Errorf("%q: %d %s", kind, got.status, got.body)
		}
	}
	for _, kind := range []string{"application/ndjson", "Application/X-NDJSON; charset=utf-8"} {
		w.call(http.MethodPost, path, lines(1), "Content-Type", kind).into(t, http.StatusOK, nil)
	}
}

// Another environment's runs, batches, parents and cursors are not there.
func TestForeign(t *testing.T) {
	w := newWorld(t)
	const key = "tr_dev_theirsxxxxxxxxxxxxxxxxxx"
	_, err := w.db.Exec(t.Context(), `
		INSERT INTO "RuntimeEnvironment" (id, slug, "apiKey", "pkApiKey", type, shortcode, "organizationId", "projectId")
		VALUES ($1, 'dev2', $2, 'pk_dev_theirs', 'STAGING', 'theirs', $3, $4)`, w.mint.Mint(runid.Legacy), key, w.demo.OrganizationID, w.demo.ProjectID)
	if err != nil {
		t.Fatal(err)
	}
	run := w.trigger("task", object{"delay": "1h"})
	w.trigger("task", nil)
	var batch struct{ ID string }
	w.call(http.MethodPost, "/api/v3/batches", `{"runCount":1}`).into(t, http.StatusOK, &batch)
	var page struct{ Pagination struct{ Next string } }
	w.call(http.MethodGet, "/api/v1/runs?page[size]=1", nil).into(t, http.StatusOK, &page)
	for path, c := range map[string]struct {
		method string
		body   any
		status int
	}{
		"/api/v3/runs/" + run:                                 {http.MethodGet, nil, 404},
		"/api/v1/runs/" + run + "/result":                     {http.MethodGet, nil, 404},
		"/api/v1/runs/" + run + "/metadata":                   {http.MethodGet, nil, 404},
		"/api/v2/runs/" + run + "/cancel":                     {http.MethodPost, nil, 404},
		"/api/v1/runs/" + run + "/reschedule":                 {http.MethodPost, `{"delay":"2h"}`, 404},
		"/api/v1/runs/" + run + "/replay":                     {http.MethodPost, nil, 404},
		"/api/v1/runs/" + run + "/tags":                       {http.MethodPost, `{"tags":"x"}`, 404},
		"/api/v2/batches/" + batch.ID:                         {http.MethodGet, nil, 404},
		"/api/v3/batches/" + batch.ID + "/items":              {http.MethodPost, `{"index":0,"task":"x"}`, 404},
		"/api/v1/tasks/task/trigger":                          {http.MethodPost, object{"options": object{"parentRunId": run}}, 403},
		"/api/v3/batches":                                     {http.MethodPost, object{"runCount": 1, "parentRunId": run}, 403},
		"/api/v1/runs?page[after]=" + page.Pagination.Next:    {http.MethodGet, nil, 400},
		"/api/v1/runs?filter[batch]=" + batch.ID:              {http.MethodGet, nil, 200},
		"/api/v1/runs?filter[taskIdentifier]=task&theirs=yes": {http.MethodGet, nil, 200},
	} {
		got := w.call(c.method, path, c.body, "Authorization", "Bearer "+key)
		if got.status != c.status || got.status == 200 && !strings.Contains(got.body, `"data":[]`) {
			t.Errorf("%s %s: %d %s", c.method, path, got.status, got.body)
		}
	}
	last := page.Pagination.Next[len(page.Pagination.Next)-1]
	edited := fmt.Sprintf("%s%c", page.Pagination.Next[:len(page.Pagination.Next)-1], last^1)
	if got := w.call(http.MethodGet, "/api/v1/runs?page[after]="+edited, nil); got.status != 400 {
		t.Errorf("an edited cursor: %d %s", got.status, got.body)
	}
}
