package platform_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/realtime-gw/realtime-gw/internal/platform"
)

// docs/platform-api.md has every route that is built, and no other.
func TestRoutesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/platform-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, built []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /api/\\S+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, row[1])
	}
	err = chi.Walk(platform.Routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodOptions {
			built = append(built, method+" /api"+route)
		}
		return nil
	})
	if err != nil || len(built) < 15 {
		t.Fatalf("%d routes, %v", len(built), err)
	}
	slices.Sort(documented)
	slices.Sort(built)
	if !slices.Equal(documented, built) {
		t.Errorf("documented are\n%s\nand built are\n%s", strings.Join(documented, "\n"), strings.Join(built, "\n"))
	}
}

// What is not built says so, whatever its method, to scripts of other origins too.
func TestNotBuilt(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/api/v1/schedules"}, {http.MethodPost, "/api/v1/waitpoints/tokens"}, {http.MethodDelete, "/api/v3/runs/run_x"},
		{http.MethodPut, "/api/v2/packets/x"}, {http.MethodGet, "/api/v1/runs/run_x/trace"}, {http.MethodGet, "/api/"},
	} {
		got := w.call(c.method, c.path, nil, "Origin", "https://app.example")
		if got.status != http.StatusNotImplemented || !strings.Contains(got.body, "not built here") || got.header.Get("X-Should-Retry") != "false" ||
			got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%s %s: %d %s %v", c.method, c.path, got.status, got.body, got.header)
		}
	}
}
