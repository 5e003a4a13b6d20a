package platform

import (
	"errors"
	"net/http"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// listed is a run in a list.
type listed struct {
	common
	Env environment `json:"env"`
}

type environment struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// names are those of environments that are not branches.
var names = map[auth.EnvironmentType]string{
	auth.Development: "dev", auth.Production: "prod", auth.Staging: "stg", auth.Preview: "preview",
}

type pagination struct {
	Next     string `json:"next,omitempty"`
	Previous string `json:"previous,omitempty"`
}

// list answers GET /v1/runs: a page over both tables.
func (p *platform) list(w http.ResponseWriter, r *http.Request) error {
	who, err := p.enter(r)
	if err != nil {
		return err
	}
	q, err := parseList(r.URL.RawQuery, p.config.Now())
	if err != nil {
		return err
	}
	if err := mayList(who, q.Filter.TaskIdentifiers); err != nil {
		return err
	}
	q.EnvironmentID = who.Environment.ID
	if q.batch != nil {
		batch, err := p.config.Store.FindBatchByFriendlyID(r.Context(), who.Environment.ID, *q.batch)
		switch {
		case errors.Is(err, runstore.ErrNotFound):
			q.Filter.IDs = []string{} // no run is in a batch that is not there
		case err != nil:
			return unavailable(err)
		default:
			q.Filter.BatchID = &batch.ID
		}
	}
	page, err := p.config.Store.FindPage(r.Context(), q.Query)
	if err != nil {
		return listError(err, q)
	}
	words, data := wordsFor(r), make([]listed, len(page.Runs))
	for i, run := range page.Runs {
		data[i] = listed{commonOf(run, words), environment{who.Environment.ID, names[who.Environment.Type]}}
	}
	return answer(w, struct {
		Data       []listed   `json:"data"`
		Pagination pagination `json:"pagination"`
	}{data, pagination{page.Next, page.Previous}})
}

// mayList says whether somebody may list the runs of these tasks, or all if none
// is named: whoever may read runs, or each of the tasks.
func mayList(who *auth.Principal, tasks []string) error {
	if len(tasks) == 0 {
		return who.Require(read, auth.Resource{Type: "runs"}, auth.Resource{Type: "tasks"})
	}
	for _, task := range tasks {
		if err := who.Require(read, auth.Resource{Type: "runs"}, auth.Resource{Type: "tasks", ID: task}); err != nil {
			return err
		}
	}
	return nil
}

func listError(err error, q *listQuery) error {
	if e, ok := errors.AsType[*runstore.PlaceError](err); ok {
		name := "page[after]"
		if q.Before != "" {
			name = "page[before]"
		}
		return queryError(name, "is not a cursor of this list: "+e.Reason+": start again from the first page")
	}
	if errors.Is(err, runstore.ErrTooSlow) {
		return &refusal{
			status: http.StatusServiceUnavailable, retry: no, cause: err, // another try takes as long
			text: "This list takes too long to read: narrow it, with filter[createdAt] or filter[tag]",
		}
	}
	if e := invalid(err); e != nil {
		return e
	}
	return unavailable(err)
}
