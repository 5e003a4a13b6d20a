package browser

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"testing"
)

// spec is what page.jsx reads from window.spec.
type spec struct {
	Auth  auth     `json:"auth"`
	Tag   string   `json:"tag"`
	Batch string   `json:"batch,omitempty"`
	Runs  []string `json:"runs"`
}

// auth is the value of the hooks' context. The branch is not the gateway's
// business when the token is a public one; it is another header to ask leave for.
type auth struct {
	BaseURL       string `json:"baseURL"`
	AccessToken   string `json:"accessToken"`
	PreviewBranch string `json:"previewBranch"`
}

// feeds are the names of those that the page shows.
func (s spec) feeds() []string {
	out := []string{s.Tag}
	if s.Batch != "" {
		out = append(out, s.Batch)
	}
	return append(out, s.Runs...)
}

// servePage serves a page until the test ends, at the URL it returns.
func servePage(t testing.TB, s spec) string {
	t.Helper()
	page, err := template.ParseFiles("page.html")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if err := page.Execute(w, s); err != nil {
			t.Errorf("write the page: %v", err)
		}
	})
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, built.script) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
