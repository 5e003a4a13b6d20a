package runstore_test

import (
	"reflect"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// filters are one filter for each field that a Filter has, by its name, with what
// two runs have there.
func filters(a, b runstore.Run) map[string]runstore.Filter {
	// some are those of two values that there are, and none of none.
	some := func(values ...*string) []string {
		list := []string{}
		for _, value := range values {
			if value != nil {
				list = append(list, *value)
			}
		}
		return list
	}
	// one is a value, or one that no run has.
	one := func(value *string) *string {
		if value == nil {
			return ptr("none")
		}
		return value
	}
	var bulk *string
	for _, id := range a.BulkActionGroupIDs {
		bulk = &id
	}
	return map[string]runstore.Filter{
		"IDs":             {IDs: []string{a.ID, b.ID}},
		"FriendlyIDs":     {FriendlyIDs: []runid.Friendly{parsed(a.FriendlyID), parsed(b.FriendlyID)}},
		"Statuses":        {Statuses: []runstore.Status{a.Status}},
		"TaskIdentifiers": {TaskIdentifiers: []string{a.TaskIdentifier}},
		"Versions":        {Versions: some(a.TaskVersion, b.TaskVersion)},
		"Queues":          {Queues: []string{a.Queue}},
		"WorkerQueues":    {WorkerQueues: []string{a.WorkerQueue}},
		"Regions":         {Regions: some(a.Region, b.Region)},
		"MachinePresets":  {MachinePresets: some(a.MachinePreset, b.MachinePreset)},
		"IdempotencyKeys": {IdempotencyKeys: some(a.IdempotencyKey, b.IdempotencyKey)},
		"AnyTag":          {AnyTag: append([]string{"none"}, a.Tags...)},
		"AllTags":         {AllTags: append([]string{}, a.Tags...)},
		"BatchID":         {BatchID: one(a.BatchID)},
		"ScheduleID":      {ScheduleID: one(a.ScheduleID)},
		"BulkActionID":    {BulkActionID: one(bulk)},
		"RootRunID":       {RootRunID: one(a.RootRunID)},
		"ParentRunID":     {ParentRunID: one(a.ParentRunID)},
		"IsTest":          {IsTest: &a.IsTest},
		"CreatedFrom":     {CreatedFrom: a.CreatedAt},
		"CreatedBefore":   {CreatedBefore: a.CreatedAt},
	}
}

// Each field of a Filter is tried wherever filters are tried.
func TestEveryFieldIsTried(t *testing.T) {
	tried := filters(runstore.Run{FriendlyID: "run_a"}, runstore.Run{FriendlyID: "run_b"})
	fields := reflect.TypeFor[runstore.Filter]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if filter, ok := tried[name]; !ok || name != "CreatedFrom" && name != "CreatedBefore" && reflect.ValueOf(filter).Field(i).IsZero() {
			t.Errorf("no filter by %s is tried", name)
		}
	}
}

// parsed is the friendly id of a run that there is.
func parsed(id string) runid.Friendly {
	friendly, err := runid.ParseRun(id)
	if err != nil {
		panic(err)
	}
	return friendly
}
