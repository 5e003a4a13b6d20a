package platform_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// tenant is an organization with one environment.
type tenant struct {
	name, environment, project, key string
	runs, batches                   []string // friendly ids
	cursor                          string   // of a list of its runs; empty: none
}

// newTenant makes one.
func (w *world) newTenant(t *rapid.T, name string) *tenant {
	id := func() string { return w.mint.Mint(runid.Legacy) }
	one := &tenant{name: name, environment: id(), project: id(), key: "tr_prod_" + id()}
	organization := id()
	w.write(t, `INSERT INTO "Organization" (id, slug, title) VALUES ($1, $1, $1)`, organization)
	w.write(t, `INSERT INTO "Project" (id, slug, name, "externalRef", "organizationId", engine) VALUES ($1, $1, $1, $1, $2, 'V2')`, one.project, organization)
	w.write(t, `
		INSERT INTO "RuntimeEnvironment" (id, slug, "apiKey", "pkApiKey", type, shortcode, "organizationId", "projectId")
		VALUES ($1, 'prod', $2, $1, 'PRODUCTION', $1, $3, $4)`, one.environment, one.key, organization, one.project)
	return one
}

func (w *world) write(t *rapid.T, sql string, args ...any) {
	if _, err := w.db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// people makes two tenants with runs in both tables and batches, whose pointers lead
// anywhere: to each other's, to what is not there, in circles. All that is a tenant's
// own but statuses and the names that both have holds the tenant's name.
func (w *world) people(t *rapid.T) (mine, theirs *tenant) {
	mine, theirs = w.newTenant(t, "mine"), w.newTenant(t, "theirs")
	both := []*tenant{mine, theirs}
	var batches, runs []string
	for i, one := range both {
		for j := range 2 {
			id := w.mint.Mint(runid.Legacy)
			batches, one.batches = append(batches, id), append(one.batches, runid.FormatBatch(id))
			key := fmt.Sprint("batch key ", i, j)
			if _, err := w.store.CreateBatch(context.Background(), runstore.NewBatch{ID: id, EnvironmentID: one.environment, RunCount: 1, IdempotencyKey: &key, Open: j == 0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := rapid.IntRange(3, 9).Draw(t, "runs")
	for range n {
		runs = append(runs, w.mint.Mint(runid.Tables()[rapid.IntRange(0, 1).Draw(t, "table")]))
	}
	pointer := rapid.Ptr(rapid.SampledFrom(append([]string{"gone", w.mint.Mint(runid.V2)}, runs...)), true)
	inBatch := rapid.Ptr(rapid.SampledFrom(append([]string{"gone"}, batches...)), true)
	statuses := rapid.SampledFrom([]string{"PENDING", "DELAYED", "EXECUTING", "CANCELED", "COMPLETED_SUCCESSFULLY", "CRASHED"})
	for i, id := range runs {
		one := both[min(i, rapid.IntRange(0, 1).Draw(t, "of"))] // the first is mine
		key, said := fmt.Sprint("key", i), `{"of":"`+one.name+`"}`
		_, err := w.store.Create(context.Background(), runstore.NewRun{
			ID: id, EnvironmentID: one.environment, ProjectID: one.project, TaskIdentifier: "task", Payload: said, Metadata: &said, Queue: "queue",
			Tags: []string{"tag", one.name + "'s tag"}, ParentRunID: pointer.Draw(t, "parent"), RootRunID: pointer.Draw(t, "root"), BatchID: inBatch.Draw(t, "batch"),
			IdempotencyKey: &key, IdempotencyKeyOptions: []byte(`{"key":"` + one.name + `'s key","scope":"global"}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, `UPDATE `+runid.Home(id).SQL()+` SET status = $2, output = $3, error = '{"type":"STRING_ERROR","raw":"`+one.name+`"}',
			"taskVersion" = 'v1', "machinePreset" = 'micro', region = 'here', "scheduleId" = 'sched', "bulkActionGroupIds" = '{bulk}' WHERE id = $1`, id, statuses.Draw(t, "status"), said)
		one.runs = append(one.runs, runid.FormatRun(id))
	}
	// A batch of mine names runs of theirs.
	w.write(t, `UPDATE "BatchTaskRun" SET "runIds" = $2 WHERE "friendlyId" = $1`, mine.batches[0], append(theirs.runs, "run_gone"))
	for _, one := range both {
		var page listPage
		w.call(http.MethodGet, "/api/v1/runs?page[size]=1", nil, "Authorization", "Bearer "+one.key).into(w.t, http.StatusOK, &page)
		one.cursor = page.Pagination.Next
	}
	return mine, theirs
}

// has is all that a tenant has, as texts, by what it is.
func (w *world) has(t *rapid.T, one *tenant) map[string]string {
	rows, err := w.db.Query(context.Background(), `
		SELECT 'legacy ' || id, r::text FROM "TaskRun" r WHERE "runtimeEnvironmentId" = $1 UNION ALL
		SELECT 'v2 ' || id, r::text FROM task_run_v2 r WHERE "runtimeEnvironmentId" = $1 UNION ALL
		SELECT 'batch ' || id, b::text FROM "BatchTaskRun" b WHERE "runtimeEnvironmentId" = $1`, one.environment)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var id, row string
	if _, err := pgx.ForEachRow(rows, []any{&id, &row}, func() error { all[id] = row; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// disturb changes what a tenant's runs say, all of them.
func (w *world) disturb(t *rapid.T, one *tenant) {
	for _, table := range runid.Tables() {
		w.write(t, `UPDATE `+table.SQL()+` SET status = CASE WHEN status = 'PENDING' THEN 'CANCELED'::"TaskRunStatus" ELSE 'PENDING' END,
			"taskIdentifier" = "taskIdentifier" || '2', "runTags" = array_append("runTags", 'more'), depth = depth + 1, "updatedAt" = now() WHERE "runtimeEnvironmentId" = $1`, one.environment)
	}
}

// secrets are texts that nobody else is to be told: the tenant's name, which stands in
// all that it has written, and the ids of what it has.
func (one *tenant) secrets() []string {
	texts := []string{one.name, one.environment, one.key}
	for _, friendly := range append(append([]string{}, one.runs...), one.batches...) {
		_, id, _ := strings.Cut(friendly, "_")
		texts = append(texts, id)
	}
	return texts
}

// same says whether nothing was changed.
func same(before, after map[string]string) bool { return maps.Equal(before, after) }
