package platform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// acceptedItems is the answer to the second phase of a batch.
type acceptedItems struct {
	ID           string `json:"id"`
	Accepted     int    `json:"itemsAccepted"`
	Deduplicated int    `json:"itemsDeduplicated"`
	Sealed       bool   `json:"sealed"`
	Enqueued     *int   `json:"enqueuedCount,omitempty"`
	Expected     *int32 `json:"expectedCount,omitempty"`
}

// batchItems answers POST /v3/batches/{batch}/items, the second phase: all items of
// a batch, one a line. They are read and checked before the first run is made. If
// some are missing none is made, and the SDK is told to send all again. If it has
// to do so because it was cut off in the middle, the runs that are there are not
// made again.
func (p *platform) batchItems(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enterBatch(r)
	if err != nil {
		return err
	}
	id, err := batchParam(r)
	if err != nil {
		return err
	}
	batch, err := p.config.Store.OnPrimary().FindBatchByFriendlyID(r.Context(), who.Environment.ID, id)
	if err != nil {
		return lookup(err)
	}
	// Who may not trigger its tasks is told nothing of a batch, not how many runs it is
	// to have either.
	if err := mayBatch(who, familyOf(batch).Tasks); err != nil {
		return err
	}
	if err := hasLines(r.Header); err != nil {
		return err
	}
	body, err := readBody(w, r, maxItemsBody)
	if err != nil {
		return err
	}
	items, err := parseLines(body, batch.RunCount, p.config.Now())
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := mayTrigger(who, batchTrigger, item.Task); err != nil {
			return err
		}
	}
	if who.OneTimeUse != "" && (batch.OneTimeUseToken == nil || *batch.OneTimeUseToken != who.OneTimeUse) {
		return triggerError(trigger.ErrTokenUsed) // it is for the batch that it made
	}
	if batch.Sealed {
		return answer(w, acceptedItems{ID: batch.FriendlyID, Deduplicated: len(items), Sealed: true})
	}
	if missing := int(batch.RunCount) - len(items); missing > 0 {
		none := 0
		return answer(w, acceptedItems{ID: batch.FriendlyID, Enqueued: &none, Expected: &batch.RunCount})
	}
	if err := p.prepare(who, familyOf(batch), items, streamsVersion(r.Header)); err != nil {
		return err
	}
	accepted, err := p.fill(r.Context(), batch, items)
	if err != nil {
		return err
	}
	return answer(w, acceptedItems{ID: batch.FriendlyID, Accepted: accepted, Deduplicated: len(items) - accepted, Sealed: true})
}

// hasLines refuses a body that does not say that it is lines of JSON.
func hasLines(h http.Header) error {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err == nil && (kind == "application/x-ndjson" || kind == "application/ndjson") {
		return nil
	}
	return &refusal{status: http.StatusUnsupportedMediaType, text: "Content-Type must be application/x-ndjson: one item a line", retry: no}
}

// parseLines reads the items of a batch, by their indexes.
func parseLines(body []byte, count int32, now time.Time) ([]trigger.Request, error) {
	at := map[int32]trigger.Request{}
	line, read := 0, 0
	for text := range bytes.Lines(body) {
		line++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if read++; read > 2*int(count) {
			return nil, lineError(line, bodyError(issue{"custom", nil, "There are more than twice as many lines as the batch has runs"}))
		}
		if err := checkItem(text); err != nil {
			return nil, lineError(line, err)
		}
		var issues []issue
		f, err := parseObject(text, &issues)
		if err != nil {
			return nil, lineError(line, err)
		}
		f.required("index", "number")
		index := f.integer("index", 0, float64(count-1))
		item := parseItem(f, now)
		if err := errors.Join(refused(issues), checkLimits(item)); err != nil {
			return nil, lineError(line, err)
		}
		at[index] = item // the last of an index counts
	}
	items := make([]trigger.Request, 0, len(at))
	for i := range count {
		if item, ok := at[i]; ok {
			items = append(items, item)
		}
	}
	return items, nil
}

// parseItem reads one item.
func parseItem(f fields, now time.Time) trigger.Request {
	item := parseRun(f, now)
	if item.Task = f.text("task", maxName); item.Task == "" {
		f.wrong("task", "is empty")
	}
	return item
}

func lineError(line int, err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		at := *r
		at.text = fmt.Sprintf("Line %d: %s", line, r.text)
		return &at
	}
	return err
}

// prepare gives the items what they have in common, and checks each as its trigger
// will, before the first is made.
func (p *platform) prepare(who *auth.Principal, in family, items []trigger.Request, streams string) error {
	for i := range items {
		item := &items[i]
		item.Environment, item.StreamsVersion = who.Environment, streams
		item.ParentRun, item.ResumeParent, item.WorkerQueue = in.Parent, in.Waits, p.config.WorkerQueue
		if err := item.Check(); err != nil {
			return itemError(i, err)
		}
	}
	return nil
}

// fill makes the runs of an open batch and seals it. It gives the number of items that
// it has taken: all but those of which another try has made the batch's run. An item
// whose idempotency key has a run is taken by every try that comes to it, since that run
// is not the batch's, and does not tell which tries have been there.
//
// Each item is triggered with a token of its own that can be used once, so that
// neither an earlier try nor another at the same moment makes it twice.
func (p *platform) fill(ctx context.Context, batch runstore.Batch, items []trigger.Request) (accepted int, err error) {
	there, err := p.itemsOf(ctx, batch)
	if err != nil {
		return 0, err
	}
	ids := make([]string, len(items))
	for i, item := range items {
		token := itemToken(batch, i)
		if ids[i] = there[token]; ids[i] != "" {
			continue
		}
		item.BatchID, item.OneTimeUseToken = batch.ID, token
		run, err := p.config.Trigger.Trigger(ctx, item)
		if errors.Is(err, trigger.ErrTokenUsed) {
			if there, err = p.itemsOf(ctx, batch); err == nil && there[token] == "" {
				err = trigger.ErrTokenBusy // another is making it
			}
			run.FriendlyID = there[token]
			accepted--
		}
		if err != nil {
			return 0, itemError(i, err)
		}
		ids[i] = run.FriendlyID
		accepted++
	}
	if _, err := p.config.Store.SealBatch(ctx, batch.Key(), ids); err != nil && !errors.Is(err, runstore.ErrNotFound) {
		return 0, unavailable(err)
	}
	return accepted, nil
}

// itemsOf are the runs that a batch has already, by their tokens.
func (p *platform) itemsOf(ctx context.Context, batch runstore.Batch) (map[string]string, error) {
	runs, err := p.config.Store.OnPrimary().FindBatchRuns(ctx, batch)
	if err != nil {
		return nil, unavailable(err)
	}
	there := map[string]string{}
	for _, run := range runs {
		if run.OneTimeUseToken != nil {
			there[*run.OneTimeUseToken] = run.FriendlyID
		}
	}
	return there, nil
}

func itemToken(batch runstore.Batch, index int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "item %d of %s", index, batch.FriendlyID))
	return hex.EncodeToString(sum[:])
}

func itemError(index int, err error) error {
	if errors.Is(err, trigger.ErrTokenBusy) { // the token is the item's, and its sender knows of none
		err = &refusal{status: http.StatusServiceUnavailable, text: "Another request is making the same run: try again", after: time.Second, cause: err}
	}
	err = triggerError(err)
	if r, ok := errors.AsType[*refusal](err); ok {
		at := *r
		at.text = fmt.Sprintf("Item %d: %s", index, r.text)
		return &at
	}
	return err
}
