package clients

import (
	"net/http"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// publicTokens: each feed is opened with a token that may read this feed and no
// other.
func publicTokens(t *testing.T, c *crowd) {
	w := newWorld(t, 0)
	var runs []run
	both(func(table runid.Table) { runs = append(runs, w.insert(w.db, table, nil)) })
	feeds := w.feeds(runs...)
	feeds[0].Token = w.token("read:tags:" + w.tag)
	feeds[1].Token = w.token("read:batch:" + w.batch.friendly)
	for i, r := range runs {
		feeds[2+i].Token = w.token("read:runs:" + r.friendly)
	}
	c.world, c.runs = w, runs
	c.start(w.url(), feeds...)
	c.settle(feeds...)
	c.step(c.change)
	c.calm(feeds...)

	paths := []string{
		"/realtime/v1/runs?offset=-1&tags=" + w.tag, "/realtime/v1/batches/" + w.batch.friendly + "?offset=-1",
		"/realtime/v1/runs/" + runs[0].friendly + "?offset=-1", "/realtime/v1/runs/" + runs[1].friendly + "?offset=-1",
	}
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i, path := range paths {
		for j := range feeds {
			want := http.StatusForbidden
			if i == j {
				want = http.StatusOK
			}
			// A run may be read with a token for one of its tags or its batch.
			if i >= 2 && j < 2 {
				want = http.StatusOK
			}
			status, err := get(t.Context(), browser, w.url()+path, feeds[j].Token)
			if err != nil || status != want {
				t.Errorf("%s with a token for the %s: %d, %v; want %d", path, feeds[j].Kind, status, err, want)
			}
		}
	}
}
