package platform

import (
	"bytes"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// replay answers POST /v1/runs/{run}/replay: another run like it.
func (p *platform) replay(w http.ResponseWriter, r *http.Request) error {
	who, id, err := p.writeRun(r, p.enterWithKey)
	if err != nil {
		return err
	}
	body, err := readBody(w, r, maxTriggerBody)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) > 0 {
		return &refusal{status: http.StatusNotImplemented, text: "A run can be replayed as it was only: leave out the body", retry: no}
	}
	run, err := p.findRun(r, who, id)
	if err != nil {
		return changeError(err)
	}
	request := trigger.Request{
		Environment: who.Environment, Task: run.TaskIdentifier, Payload: run.Payload, PayloadType: run.PayloadType,
		Context: run.Context, IsTest: run.IsTest, MetadataType: run.SeedMetadataType, Tags: run.Tags,
		Queue: run.Queue, WorkerQueue: run.WorkerQueue, PriorityMs: run.PriorityMs, ReplayedFrom: run.FriendlyID,
		StreamsVersion: run.RealtimeStreamsVersion,
	}
	for from, to := range map[*string]*string{
		run.SeedMetadata: &request.Metadata, run.Region: &request.Region, run.ConcurrencyKey: &request.ConcurrencyKey,
		run.TTL: &request.TTL, run.MachinePreset: &request.Machine,
	} {
		if from != nil {
			*to = *from
		}
	}
	if run.MaxAttempts != nil {
		request.MaxAttempts = *run.MaxAttempts
	}
	if run.MaxDurationInSeconds != nil {
		request.MaxDuration = *run.MaxDurationInSeconds
	}
	made, err := p.once(r, request)
	if err != nil {
		return triggerError(err)
	}
	return answer(w, only{made.ID})
}
