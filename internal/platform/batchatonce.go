package platform

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// batchAtOnce answers POST /v2/tasks/batch, a batch in one phase, of SDKs before
// there were two.
func (p *platform) batchAtOnce(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enterBatch(r)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxItemsBody, &issues)
	if err != nil {
		return err
	}
	items, err := p.itemsAt(body)
	if err != nil {
		return err
	}
	in := family{Parent: body.text("parentRunId", 0), Waits: body.flag("resumeParentOnCompletion")}
	if err := refused(issues); err != nil {
		return err
	}
	for i, item := range items {
		if err := checkLimits(item); err != nil {
			return itemError(i, err)
		}
		if err := mayTrigger(who, batchTrigger, item.Task); err != nil {
			return err
		}
	}
	if err := p.checkParent(r, who, in.Parent); err != nil {
		return err
	}
	if err := p.prepare(who, in, items, streamsVersion(r.Header)); err != nil {
		return err
	}
	batch, err := p.openOnce(r, who, int32(len(items)), "", in)
	if err != nil {
		return err
	}
	if n := int(batch.RunCount); n != len(items) {
		return &refusal{status: http.StatusUnprocessableEntity, retry: no,
			text: fmt.Sprintf("A call that has the same %s made a batch of %d items, and this has %d", attemptHeader, n, len(items))}
	}
	// A later try fills the batch of the first, whose items are not made twice.
	if _, err := p.fill(r.Context(), batch, items); err != nil {
		return err
	}
	if err := p.grant(w, r, who, "read:batch:"+batch.FriendlyID); err != nil {
		return err
	}
	return answer(w, struct {
		ID       string `json:"id"`
		RunCount int32  `json:"runCount"`
	}{batch.FriendlyID, batch.RunCount})
}

// itemsAt reads the items of a batch in one phase. Of too many none is read.
func (p *platform) itemsAt(body fields) ([]trigger.Request, error) {
	if !body.has("items", "array") {
		body.wrong("items", "is not a list")
		return nil, nil
	}
	if err := tooMany(elements(body.members["items"])); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if json.Unmarshal(body.members["items"], &list) != nil || len(list) == 0 {
		body.wrong("items", "is empty")
	}
	items := make([]trigger.Request, len(list))
	for i, text := range list {
		if err := checkItem(text); err != nil {
			return nil, itemError(i, err)
		}
		items[i] = parseItem(newFields(text, body.issues, "items", fmt.Sprint(i)), p.config.Now())
	}
	return items, nil
}
