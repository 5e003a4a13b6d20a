package embedded

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/replication"
	"github.com/realtime-gw/realtime-gw/internal/schema"
)

// TestForeignSettings: whatever a database's and a role's own settings, a value is
// written the same in a snapshot, in the log, and in a database with none; a
// condition selects the same rows; and what is refused is refused in the same words.
func TestForeignSettings(t *testing.T) {
	var first foreign
	for i, settings := range [][]string{
		nil,
		{"DateStyle = 'German'", "TimeZone = 'Asia/Kathmandu'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'", "extra_float_digits = -3"},
		{"DateStyle = 'SQL, MDY'", "TimeZone = 'America/New_York'", "IntervalStyle = 'postgres_verbose'", "client_encoding = 'LATIN1'", "lc_numeric = 'C'", "lc_time = 'C'", "lc_monetary = 'C'"},
		{"statement_timeout = 1", "lock_timeout = 1", "idle_session_timeout = 1000", "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on", "search_path = 'pg_catalog'"},
		{"standard_conforming_strings = off", "backslash_quote = on", "array_nulls = off", "transform_null_equals = on", "quote_all_identifiers = on", "search_path = ''", "lc_messages = 'POSIX'", "row_security = off", "session_replication_role = 'replica'"},
		{"role DateStyle = 'Postgres, YMD'", "role TimeZone = 'Pacific/Chatham'", "DateStyle = 'German'", "role IntervalStyle = 'postgres'", "role bytea_output = 'escape'", "role extra_float_digits = 3", "role client_encoding = 'SQL_ASCII'", "role default_transaction_isolation = 'read uncommitted'", "role search_path = 'nowhere'", "role timezone_abbreviations = 'Australia'"},
	} {
		b := newBenchOn(t, pgtest.Database(t), Config{}, settings)
		b.checkForeign(fmt.Sprint(settings), &first, i == 0)
	}
	for _, want := range []string{"completedAt:2026-08-21 07:49:12.12", "costInCents:0.30000000000000004", "at:2026-03-29 01:30:00+00", `raw:\x00ff41`,
		"took:P1M-2DT3H4M5.6S", "payload:é€", `runTags:{NULL,"a,b","",ß,İ}`, "amount:12345.6000", "price:0.1"} {
		if !strings.Contains(first.rows, want) {
			t.Errorf("%s is not in %s", want, first.rows)
		}
	}
	if !strings.Contains(first.refusals, `\"nowhere\" does not exist`) || !strings.Contains(first.refusals, "REPLICA IDENTITY FULL") {
		t.Errorf("refused is %s", first.refusals)
	}
}

// TestForeignLocales does the same with databases of all locales that this cluster
// has of some that are unlike each other: C, C.UTF-8 and one of ICU's at least,
// which databases can have since Postgres 15.
func TestForeignLocales(t *testing.T) {
	db, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	rows, err := db.Query(t.Context(), `
		SELECT DISTINCT 'LOCALE ''' || collcollate || '''' FROM pg_collation
		WHERE collprovider = 'c' AND collencoding IN (-1, pg_char_to_encoding('UTF8'))
		AND lower(replace(collcollate, '-', '')) IN ('c', 'posix', 'c.utf8', 'en_us.utf8', 'tr_tr.utf8', 'de_de.utf8')
		UNION ALL
		SELECT format('LOCALE ''C'' LOCALE_PROVIDER icu ICU_LOCALE %L', replace(collname, '-x-icu', '')) FROM pg_collation
		WHERE collprovider = 'i' AND collname IN ('en-US-x-icu', 'tr-TR-x-icu') AND current_setting('server_version_num')::int >= 150000`)
	if err != nil {
		t.Fatal(err)
	}
	locales, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var version int
	if err := db.QueryRow(t.Context(), `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	must := []string{`LOCALE 'C'`, `(?i)LOCALE 'C\.UTF-?8'`}
	if version >= 150000 {
		must = append(must, `.* LOCALE_PROVIDER icu .*`)
	}
	for _, pattern := range must {
		if !slices.ContainsFunc(locales, regexp.MustCompile(`^`+pattern+`$`).MatchString) {
			t.Fatalf("the cluster has %q, none of them %s: install a Postgres that has, such as Debian's", locales, pattern)
		}
	}
	var first foreign
	for i, locale := range locales {
		t.Log(locale)
		at := pgtest.With(t, locale+` ENCODING 'UTF8' TEMPLATE template0`)
		conn, err := pgx.Connect(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := schema.Migrate(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		newBenchAt(t, at, Config{}).checkForeign(locale, &first, i == 0)
	}
}

// foreign is what must be the same in every database.
type foreign struct{ rows, refusals string }

func (b *bench) checkForeign(where string, first *foreign, is bool) {
	b.t.Helper()
	got := foreign{b.foreignRows(where), b.foreignRefusals()}
	if is {
		*first = got
	}
	if got.rows != first.rows {
		b.t.Errorf("%s: %s\nwant %s", where, got.rows, first.rows)
	}
	if got.refusals != first.refusals {
		b.t.Errorf("%s refuses with %s\nwant %s", where, got.refusals, first.refusals)
	}
}

// foreignRows writes a row with all sorts of values, and gives it as two feeds,
// which must agree, have it in their logs and in their snapshots.
func (b *bench) foreignRows(where string) string {
	b.t.Helper()
	b.exec(`ALTER TABLE "TaskRun" ADD at timestamptz DEFAULT '2026-03-29 01:30:00+00', ADD took interval DEFAULT '1 mon -2 days 03:04:05.6',
		ADD raw bytea DEFAULT decode('00ff41', 'hex'), ADD amount numeric(20,4) DEFAULT 12345.6000, ADD price float4 DEFAULT 0.1, ADD days daterange DEFAULT '[2026-01-02,2026-02-03)',
		ADD many timestamp[] DEFAULT ARRAY['2026-12-11 10:09:08'::timestamp]`)
	feed := with(tagFeed("env"), "columns", `"id","completedAt","costInCents","isTest","payload","runTags","at","took","raw","amount","price","days","many"`)
	tests := with(tagFeed("env", "ß", "İ", "a,b", ""), "columns", feed.Get("columns"))
	tests.Set("where", tests.Get("where")+` AND "completedAt" > $6`)
	tests.Set("params[6]", "2026-08-21T07:49:12.119Z")
	var logs, snapshots []string
	feeds := []url.Values{feed, tests}
	for _, q := range feeds {
		if empty := b.get(q); empty.status != 200 || empty.summary(b.t) != "snapshot-end" {
			b.t.Fatalf("%s: %d %s", where, empty.status, empty.body)
		}
	}
	b.exec(addRun, "a", "env", []string{})
	b.exec(`UPDATE "TaskRun" SET "completedAt" = '2026-08-21 07:49:12.120', "costInCents" = 0.1::float8 + 0.2::float8, "isTest" = true, payload = 'é€', "runTags" = ARRAY[NULL,'a,b','','ß','İ']`)
	for _, q := range feeds {
		for _, list := range []*[]string{&logs, &snapshots} {
			q := q
			if list == &logs {
				q = with(q, "handle", b.get(q).handle(), "offset", "0_inf")
			} else { // the same condition twice makes a shape that has the row in its snapshot
				q = with(q, "where", q.Get("where")+` AND "runtimeEnvironmentId" = $1`)
			}
			r := &reader{rows: map[string]map[string]string{}}
			if err := r.apply(b.get(q).body); err != nil {
				b.t.Fatal(err)
			}
			*list = append(*list, fmt.Sprint(r.rows))
		}
	}
	if logs[0] != logs[1] || logs[0] != snapshots[0] || logs[0] != snapshots[1] {
		b.t.Errorf("%s: the logs have %s\nthe snapshots %s", where, logs, snapshots)
	}
	return logs[0]
}

// foreignRefusals is what a server says to a few things that it cannot do.
func (b *bench) foreignRefusals() string {
	b.t.Helper()
	var all []string
	for _, q := range []url.Values{
		with(tagFeed("env"), "table", "nowhere"),
		with(tagFeed("env"), "table", "pg_catalog.pg_class"),
		with(tagFeed("env"), "columns", "id,nothing"),
		with(tagFeed("env"), "columns", "status"),
		with(tagFeed("env"), "where", `"createdAt" > $1`),
		with(tagFeed("env"), "where", `nothing = $1`),
		with(tagFeed("env"), "where", `status = $1`),
	} {
		got := b.get(q)
		all = append(all, fmt.Sprint(got.status, " ", got.body))
	}
	b.write(`CREATE TABLE plain (id int PRIMARY KEY)`)
	for _, table := range []string{"plain", "nowhere"} {
		cfg := b.server.cfg
		cfg.Slot, cfg.Tables = pgtest.Slot(b.t), []replication.Table{{Schema: "public", Name: table}}
		s, err := New(b.t.Context(), cfg)
		if err == nil {
			b.t.Fatalf("%+v is served", s.cfg.Tables)
		}
		all = append(all, err.Error())
	}
	return strings.Join(all, "\n")
}

// newBenchOn is newBench on a database to which settings are given first, or to
// its role there.
func newBenchOn(t testing.TB, databaseURL string, cfg Config, settings []string) *bench {
	t.Helper()
	db, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	for _, s := range settings {
		whose := `DATABASE ` + db.Config().Database
		if of, ok := strings.CutPrefix(s, "role "); ok {
			s, whose = of, `ROLE CURRENT_USER IN `+whose
		}
		if _, err := db.Exec(t.Context(), `ALTER `+whose+` SET `+s); err != nil {
			t.Fatal(err)
		}
	}
	return newBenchAt(t, databaseURL, cfg)
}

// TestLooseCollation: where Postgres takes texts for equal that differ, the log
// could not be matched as the snapshot is, so that such a column is not tested.
// It can be selected.
func TestLooseCollation(t *testing.T) {
	b := newBench(t, Config{})
	b.write(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	b.write(`ALTER TABLE "TaskRun" ALTER "runtimeEnvironmentId" TYPE text COLLATE loose, ALTER "batchId" TYPE text COLLATE loose, ALTER "runTags" TYPE text[] COLLATE loose`)
	for _, q := range []url.Values{
		tagFeed("env"),
		with(tagFeed("env"), "where", `"runTags" @> ARRAY[$1]`),
		with(tagFeed("env"), "where", `id = $1 AND "batchId" = $1`),
	} {
		if got := b.get(q); got.status != 400 || !strings.Contains(got.body, `{"where":["At location `) || !strings.Contains(got.body, "collation is not deterministic") {
			t.Errorf("%s: %d %s", q.Get("where"), got.status, got.body)
		}
	}
	b.exec(addRun, "env", "env", []string{"x"})
	if got := b.get(with(tagFeed("env"), "where", `id = $1`)); got.status != 200 || got.summary(t) != "insert env, snapshot-end" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
