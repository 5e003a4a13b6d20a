package platform

import (
	"encoding/json"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// shownMetadata is the answer of both routes.
type shownMetadata struct {
	Metadata json.RawMessage `json:"metadata"`
}

// showMetadata makes an object of what a run has: SDKs take nothing else.
func showMetadata(metadata json.RawMessage) shownMetadata {
	if metadata = record(metadata); metadata == nil {
		metadata = json.RawMessage("{}")
	}
	return shownMetadata{metadata}
}

// getMetadata answers GET /v1/runs/{run}/metadata.
func (p *platform) getMetadata(w http.ResponseWriter, r *http.Request) error {
	run, err := p.openRun(r, p.enterWithKey)
	if err != nil {
		return err
	}
	var metadata json.RawMessage
	if run.Metadata != nil {
		metadata = valueOf(*run.Metadata, run.MetadataType)
	}
	return answer(w, showMetadata(metadata))
}

// putMetadata answers PUT /v1/runs/{run}/metadata: what is to become of a run's
// metadata, and of its parent's and its root's.
func (p *platform) putMetadata(w http.ResponseWriter, r *http.Request) error {
	who, id, err := p.writeRun(r, p.enterWithKey)
	if err != nil {
		return err
	}
	var issues []issue
	body, err := readFields(w, r, maxMetadataBody, &issues)
	if err != nil {
		return err
	}
	var change trigger.MetadataChange
	if body.has("metadata", "object") {
		change.Metadata = body.members["metadata"]
	}
	for _, list := range []struct {
		name       string
		operations *[]trigger.Operation
	}{{"operations", &change.Operations}, {"parentOperations", &change.ParentOperations}, {"rootOperations", &change.RootOperations}} {
		if !body.has(list.name, "array") {
			continue
		}
		// A list of a few bytes each takes many times its size in memory.
		if err := trigger.CheckOperations(list.name, elements(body.members[list.name])); err != nil {
			return triggerError(err)
		}
		*list.operations = body.operations(list.name)
	}
	if err := refused(issues); err != nil {
		return err
	}
	metadata, err := p.config.Trigger.UpdateMetadata(r.Context(), who.Environment.ID, id, change)
	if err != nil {
		return changeError(err)
	}
	return answer(w, showMetadata(metadata))
}
