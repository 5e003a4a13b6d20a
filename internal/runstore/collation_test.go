package runstore_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// people is the locale by which people order texts.
const people = "en_US.UTF-8"

// eachCollation runs a test on a database that orders texts by their bytes, and
// on one that does not.
func eachCollation(t *testing.T, test func(t *testing.T, f fixture)) {
	for name, options := range collations(t) {
		t.Run(name, func(t *testing.T) {
			f := newFixtureAt(t, options)
			var order string
			if err := f.pool.QueryRow(t.Context(), `SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['B', 'a', 'C']) x`).Scan(&order); err != nil {
				t.Fatal(err)
			}
			if byBytes := order == "BCa"; byBytes != (name == "C") {
				t.Fatalf("the database orders texts as %s", order)
			}
			test(t, f)
		})
	}
}

// collations are the options of two databases, one that orders texts by their
// bytes and one that does so as people do, by the system's own rules.
func collations(t *testing.T) map[string]string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	// This asks the system. The list of collations is as old as the cluster.
	if _, err := conn.Exec(t.Context(), `CREATE COLLATION people (LOCALE = '`+people+`')`); err != nil {
		t.Fatalf("this Postgres does not have the locale %s (%v): run scripts/install-missing as root, or as root: localedef -i en_US -f UTF-8 %[1]s", people, err)
	}
	of := map[string]string{}
	for _, locale := range []string{"C", people} {
		of[locale] = "LOCALE '" + locale + "' ENCODING 'UTF8' TEMPLATE template0"
	}
	return of
}
