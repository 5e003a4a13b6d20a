package runstore_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

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
// bytes and one that does so as people do.
func collations(t *testing.T) map[string]string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var options string
	err = conn.QueryRow(t.Context(), `
		SELECT o FROM (
			SELECT 1, format('LOCALE %L', collcollate) FROM pg_collation
			WHERE collprovider = 'c' AND lower(replace(collcollate, '-', '')) = 'en_us.utf8'
			UNION ALL
			SELECT 2, 'LOCALE ''C'' LOCALE_PROVIDER icu ICU_LOCALE ''en-US''' FROM pg_collation
			WHERE collname = 'en-US-x-icu' AND current_setting('server_version_num')::int >= 150000
		) c (n, o) ORDER BY n LIMIT 1`).Scan(&options)
	if err != nil {
		t.Fatalf("this Postgres has no collation en_US, of the system or of ICU (%v): generate the locale en_US.UTF-8, or use Postgres 15 or later with ICU", err)
	}
	const rest = " ENCODING 'UTF8' TEMPLATE template0"
	return map[string]string{"C": "LOCALE 'C'" + rest, "en_US": options + rest}
}
