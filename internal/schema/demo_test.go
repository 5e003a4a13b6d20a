package schema_test

import (
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

func TestSeedDemo(t *testing.T) {
	url := pgtest.Database(t)
	var wg sync.WaitGroup
	demos := make([]schema.Demo, 3)
	for i := range demos {
		conn := connect(t, url)
		wg.Go(func() {
			var err error
			if demos[i], err = schema.SeedDemo(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if demos[0] != demos[1] || demos[1] != demos[2] {
		t.Fatal("seeding again gave other rows")
	}
	d := demos[0]
	if !regexp.MustCompile(`^tr_dev_[0-9a-z]{26}$`).MatchString(d.APIKey) {
		t.Errorf("the key has another form than tr_dev_ and 26 characters; it has %d", len(d.APIKey))
	}
	got := lines(t, connect(t, url), `
		SELECT concat_ws(' ', o.id, p.id, e.id, e.type, p."deletedAt", e."archivedAt")
		FROM "RuntimeEnvironment" e JOIN "Project" p ON p.id = e."projectId" JOIN "Organization" o ON o.id = p."organizationId" AND o.id = e."organizationId"`)
	if want := []string{d.OrganizationID + " " + d.ProjectID + " " + d.EnvironmentID + " DEVELOPMENT"}; !slices.Equal(got, want) {
		t.Errorf("the database has %q, want %q", got, want)
	}
}
