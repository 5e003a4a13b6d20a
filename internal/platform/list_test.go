package platform_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

type listPage struct {
	Data []struct {
		ID, Status string
		Tags       []string
		Env        struct{ ID, Name string }
	}
	Pagination struct{ Next, Previous string }
}

func (p listPage) ids() (ids []string) {
	for _, run := range p.Data {
		ids = append(ids, run.ID)
	}
	return ids
}

// list asks for a page.
func (w *world) list(query url.Values, headers ...string) (p listPage) {
	w.t.Helper()
	w.call(http.MethodGet, "/api/v1/runs?"+query.Encode(), nil, headers...).into(w.t, http.StatusOK, &p)
	return p
}

// Pages forwards and then backwards have every run of both tables once, also those
// of one millisecond, and no page is larger than was asked for.
func TestPages(t *testing.T) {
	w := newWorld(t)
	at := time.Now().Add(-time.Hour)
	for i := range 23 {
		_, err := w.store.Create(t.Context(), runstore.NewRun{
			ID: w.mint.Mint(runid.Tables()[i%2]), EnvironmentID: w.demo.EnvironmentID, ProjectID: w.demo.ProjectID, TaskIdentifier: "task", Payload: "{}",
			CreatedAt: at.Add(time.Duration(i/5) * time.Millisecond),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := w.list(url.Values{"page[size]": {"100"}})
	if len(whole.Data) != 23 || whole.Pagination.Next != "" || whole.Pagination.Previous != "" {
		t.Fatalf("all on one page are %d, with %+v around them", len(whole.Data), whole.Pagination)
	}
	var pages [][]string
	page := w.list(url.Values{"page[size]": {"4"}})
	for {
		pages = append(pages, page.ids())
		if page.Pagination.Next == "" {
			break
		}
		page = w.list(url.Values{"page[size]": {"4"}, "page[after]": {page.Pagination.Next}})
	}
	if !slices.Equal(slices.Concat(pages...), whole.ids()) || len(pages) != 6 {
		t.Errorf("%d pages forwards: %v", len(pages), pages)
	}
	after := "stale" // as an SDK sends it that turns round
	for i := len(pages) - 2; i >= 0; i-- {
		page = w.list(url.Values{"page[size]": {"4"}, "page[before]": {page.Pagination.Previous}, "page[after]": {after}})
		if !slices.Equal(page.ids(), pages[i]) {
			t.Errorf("page %d backwards is %v, and was %v", i, page.ids(), pages[i])
		}
	}
	if page.Pagination.Previous != "" {
		t.Error("there is a page before the first")
	}
	if got := w.list(nil); len(got.Data) != 20 {
		t.Errorf("a page has %d by default", len(got.Data))
	}
}

// Each filter selects what it says, in both tables.
func TestFilters(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	day := now.Add(-24 * time.Hour).Truncate(time.Millisecond)
	var batch struct{ ID string }
	w.call(http.MethodPost, "/api/v2/tasks/batch", `{"items":[{"task":"in-batch"}]}`).into(t, http.StatusOK, &batch)
	ids := map[string]string{}
	for i, name := range []string{"plain", "tagged", "tested", "queued", "big", "here", "versioned", "bulk", "scheduled", "old"} {
		r := runstore.NewRun{
			ID: w.mint.Mint(runid.Tables()[i%2]), EnvironmentID: w.demo.EnvironmentID, ProjectID: w.demo.ProjectID, TaskIdentifier: "task-" + name, Payload: "{}",
			CreatedAt: now.Add(-time.Minute),
		}
		text := func(s string) *string { return &s }
		switch name {
		case "tagged":
			r.Tags = []string{"a", "b"}
		case "tested":
			r.IsTest = true
		case "queued":
			r.Queue = "special"
		case "big":
			r.MachinePreset = text("large-2x")
		case "here":
			r.Region = text("eu-central-1")
		case "scheduled":
			r.ScheduleID = text("sched_1")
		case "old":
			r.CreatedAt = day
		}
		run, err := w.store.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "versioned":
			_, err = w.store.LockToWorker(t.Context(), run.Key(), runstore.Lock{LockedByID: "w", LockedToVersionID: "v", TaskVersion: text("20260101.1")})
		case "bulk":
			_, err = w.store.RecordBulkAction(t.Context(), run.Key(), "bulk_1")
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = run.FriendlyID
	}
	ms := func(at time.Time) string { return fmt.Sprint(at.UnixMilli()) }
	for name, c := range map[string]struct {
		query []string // names and values
		want  []string // of the runs above
	}{
		"task":            {[]string{"filter[taskIdentifier]", "task-plain,task-big"}, []string{"plain", "big"}},
		"tag":             {[]string{"filter[tag]", "b,z"}, []string{"tagged"}},
		"test":            {[]string{"filter[isTest]", "true"}, []string{"tested"}},
		"queue":           {[]string{"filter[queue]", "special"}, []string{"queued"}},
		"machine":         {[]string{"filter[machine]", "large-2x,micro"}, []string{"big"}},
		"region":          {[]string{"filter[region]", "eu-central-1"}, []string{"here"}},
		"version":         {[]string{"filter[version]", "20260101.1"}, []string{"versioned"}},
		"status":          {[]string{"filter[status]", "DEQUEUED,FAILED"}, []string{"versioned"}},
		"bulk action":     {[]string{"filter[bulkAction]", "bulk_1"}, []string{"bulk"}},
		"schedule":        {[]string{"filter[schedule]", "sched_1"}, []string{"scheduled"}},
		"to":              {[]string{"filter[createdAt][to]", ms(day)}, []string{"old"}},
		"to, before":      {[]string{"filter[createdAt][to]", ms(day.Add(-time.Millisecond))}, nil},
		"from and to":     {[]string{"filter[createdAt][from]", day.UTC().Format(time.RFC3339Nano), "filter[createdAt][to]", ms(day.Add(time.Second))}, []string{"old"}},
		"period":          {[]string{"filter[createdAt][period]", "1h", "filter[taskIdentifier]", "task-old,task-plain"}, []string{"plain"}},
		"nobody's batch":  {[]string{"filter[batch]", "batch_x"}, nil},
		"two filters":     {[]string{"filter[tag]", "a", "filter[isTest]", "true"}, nil},
		"an empty filter": {[]string{"filter[tag]", "", "filter[isTest]", "true"}, []string{"tested"}},
	} {
		query, want := url.Values{}, []string{}
		for i := 0; i < len(c.query); i += 2 {
			query.Set(c.query[i], c.query[i+1])
		}
		for _, of := range c.want {
			want = append(want, ids[of])
		}
		got := w.list(query).ids()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v instead of %v", name, got, want)
		}
	}
	got := w.list(url.Values{"filter[batch]": {batch.ID}})
	if len(got.Data) != 1 || got.Data[0].Env.ID != w.demo.EnvironmentID || got.Data[0].Env.Name != "dev" || got.Data[0].Status != "QUEUED" || got.Data[0].Tags == nil {
		t.Errorf("by its batch there is %+v", got)
	}
}

// Who may read runs may list them; who may read some tasks, those.
func TestWhoMayList(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		scope, tasks string
		may          bool
	}{
		{"read:runs", "", true}, {"read:tasks", "", true}, {"read:tasks", "a", true}, {"read:all", "a,b", true}, {"admin", "", true},
		{"read:tasks:a", "a", true}, {"read:tasks:a", "a,b", false}, {"read:tasks:a", "", false},
		{"read:runs:run_x", "", false}, {"write:runs", "", false}, {"", "", false},
	} {
		query := url.Values{}
		if c.tasks != "" {
			query.Set("filter[taskIdentifier]", c.tasks)
		}
		got := w.call(http.MethodGet, "/api/v1/runs?"+query.Encode(), nil, "Authorization", w.token(auth.Token{Scopes: []string{c.scope}}))
		if want := map[bool]int{true: 200, false: 403}[c.may]; got.status != want {
			t.Errorf("%s lists %q: %d", c.scope, c.tasks, got.status)
		}
	}
}
