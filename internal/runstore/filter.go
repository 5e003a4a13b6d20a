package runstore

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// Filter selects runs. A run has to satisfy every field that is set, and of a
// list one value. A nil list is not set; an empty one selects nothing.
type Filter struct {
	IDs             []string         // with these, and with FriendlyIDs, a table that can have none is not asked
	FriendlyIDs     []runid.Friendly // of runs
	Statuses        []Status
	TaskIdentifiers []string
	Versions        []string
	Queues          []string
	WorkerQueues    []string
	Regions         []string
	MachinePresets  []string
	IdempotencyKeys []string
	AnyTag          []string // one of these tags
	AllTags         []string // every one of these tags
	BatchID         *string
	ScheduleID      *string
	BulkActionID    *string
	RootRunID       *string
	ParentRunID     *string
	IsTest          *bool
	CreatedFrom     time.Time // at this time or later
	CreatedBefore   time.Time // earlier than this time
}

// tables are those that can have a run which the filter selects.
func (f Filter) tables() []runid.Table {
	in := [2]bool{true, true}
	if f.IDs != nil {
		for _, t := range runid.Tables() {
			in[t] = len(idsAt(f.IDs, t)) > 0
		}
	}
	if f.FriendlyIDs != nil {
		for _, t := range runid.Tables() {
			in[t] = in[t] && len(friendlyAt(f.FriendlyIDs, t)) > 0
		}
	}
	all := runid.Tables()
	return slices.DeleteFunc(all[:], func(t runid.Table) bool { return !in[t] })
}

// onlyPeriod says that the filter selects every run, or all of a period.
func (f Filter) onlyPeriod() bool {
	f.CreatedFrom, f.CreatedBefore = time.Time{}, time.Time{}
	return reflect.ValueOf(f).IsZero()
}

// apart says that no run which the filter selects can be in both tables: each
// table is asked for ids of its own format.
func (f Filter) apart() bool { return f.IDs != nil || f.FriendlyIDs != nil }

func (f Filter) check() error {
	for _, s := range f.Statuses {
		if !s.known() {
			return &InvalidError{What: "a filter", Reason: "it has a status that there is not"}
		}
	}
	for _, id := range f.FriendlyIDs {
		if id.Kind() != runid.Run || id.Suffix() == "" {
			return &InvalidError{What: "a filter", Reason: "it has a friendly id that is no run's"}
		}
	}
	return nil
}

// conditions are those on a row r of the table, and add their arguments.
func (f Filter) conditions(table runid.Table, args pgx.NamedArgs) []string {
	var all []string
	add := func(set bool, sql string, name string, value any) {
		if set {
			all = append(all, sql)
			args[name] = value
		}
	}
	list := func(values []string, column string) {
		add(values != nil, "r."+column+" = ANY(@"+bare(column)+")", bare(column), values)
	}
	same := func(value *string, column string) {
		add(value != nil, "r."+column+" = @"+bare(column), bare(column), value)
	}

	ids, friendly := "ids_"+table.String(), "friendly_"+table.String()
	add(f.IDs != nil, "r.id = ANY(@"+ids+")", ids, idsAt(f.IDs, table))
	add(f.FriendlyIDs != nil, `r."friendlyId" = ANY(@`+friendly+")", friendly, friendlyAt(f.FriendlyIDs, table))
	add(f.Statuses != nil, `r.status = ANY(@statuses::text[]::public."TaskRunStatus"[])`, "statuses", textsOf(f.Statuses))
	list(f.TaskIdentifiers, `"taskIdentifier"`)
	list(f.Versions, `"taskVersion"`)
	list(f.Queues, "queue")
	list(f.WorkerQueues, `"masterQueue"`)
	list(f.Regions, "region")
	list(f.MachinePresets, `"machinePreset"`)
	list(f.IdempotencyKeys, `"idempotencyKey"`)
	add(f.AnyTag != nil, `r."runTags" && @anyTag::text[]`, "anyTag", f.AnyTag)
	add(f.AllTags != nil, `r."runTags" @> @allTags::text[] AND @allTags::text[] <> '{}'`, "allTags", f.AllTags)
	same(f.BatchID, `"batchId"`)
	same(f.ScheduleID, `"scheduleId"`)
	same(f.RootRunID, `"rootTaskRunId"`)
	same(f.ParentRunID, `"parentTaskRunId"`)
	add(f.BulkActionID != nil, `r."bulkActionGroupIds" @> ARRAY[@bulkAction::text]`, "bulkAction", f.BulkActionID)
	add(f.IsTest != nil, `r."isTest" = @isTest`, "isTest", f.IsTest)
	add(!f.CreatedFrom.IsZero(), `r."createdAt" >= @createdFrom`, "createdFrom", stampUp(f.CreatedFrom))
	add(!f.CreatedBefore.IsZero(), `r."createdAt" < @createdBefore`, "createdBefore", stampUp(f.CreatedBefore))
	return all
}

// stampUp is the first time that can be stored and is not before t: a bound
// between two milliseconds stands between the same rows there.
func stampUp(t time.Time) time.Time { return stamp(t.Add(time.Millisecond - 1)) }

// bare is a column's name without quotes, which names its argument as well.
func bare(column string) string {
	if column[0] == '"' {
		return column[1 : len(column)-1]
	}
	return column
}

func idsAt(ids []string, table runid.Table) []string {
	return orEmpty(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return runid.Home(id) != table }))
}

func friendlyAt(ids []runid.Friendly, table runid.Table) []string {
	at := map[string]bool{}
	for _, id := range ids {
		if id.Home() == table {
			at[id.String()] = true
		}
	}
	return orEmpty(slices.Collect(maps.Keys(at)))
}

func textsOf(statuses []Status) []string {
	texts := make([]string, len(statuses))
	for i, s := range statuses {
		texts[i] = string(s)
	}
	return texts
}
