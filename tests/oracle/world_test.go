package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
	"github.com/realtime-gw/realtime-gw/internal/replication"
	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// awkward are tags that have to be written with care somewhere on their way.
var awkward = []string{"a", "b", "user:1", "it's", "{x}", "NULL", "null", "ünï 🚀", "a b", "$1", "%2C", "a&b=c", "[]", "--"}

// environment is one of the two that a world has. They differ in nothing but
// who may see them, and use the same tags.
type environment struct {
	id, key       string
	batch         string // id of a batch that the environment owns
	batchFriendly string
}

// otherKey is the key of the environment that most feeds are not of.
const otherKey = "tr_dev_secret1"

// world is a database with two environments and what there is to follow in it.
type world struct {
	url  string
	envs [2]environment
	tags []string
	kept []facts // the runs that have feeds of their own
}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	r := random(s.seed, 2)
	mint := runid.NewMinter(runid.MinterConfig{Now: birth, Source: rand.NewPCG(s.seed, 3)})
	w := &world{url: pgtest.Database(t)}
	for _, i := range r.Perm(len(awkward))[:3] {
		w.tags = append(w.tags, awkward[i])
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db := w.connect(t)
	var sql strings.Builder
	sql.WriteString(`
		INSERT INTO "Organization" (id, slug, title) VALUES ('org', 'org', 'org');
		INSERT INTO "Project" (id, slug, name, "externalRef", "organizationId") VALUES ('proj', 'proj', 'proj', 'proj', 'org');`)
	for i := range w.envs {
		e := &w.envs[i]
		*e = environment{id: fmt.Sprint("env", i), key: [...]string{"tr_dev_secret0", otherKey}[i], batch: mint.Mint(runid.Legacy)}
		e.batchFriendly = runid.FormatBatch(e.batch)
		fmt.Fprintf(&sql, `
			INSERT INTO "RuntimeEnvironment" (id, slug, "apiKey", "pkApiKey", shortcode, "organizationId", "projectId")
				VALUES ('%[1]s', '%[1]s', '%[2]s', '%[1]s', '%[1]s', 'org', 'proj');
			INSERT INTO "BatchTaskRun" (id, "friendlyId", "runtimeEnvironmentId", "updatedAt") VALUES ('%[3]s', '%[4]s', '%[1]s', now());`,
			e.id, e.key, e.batch, e.batchFriendly)
	}
	if _, err := db.Exec(ctx, sql.String()); err != nil {
		t.Fatal(err)
	}
	for _, table := range runid.Tables() {
		id := mint.Mint(table)
		w.kept = append(w.kept, facts{
			table: table, id: id, friendly: runid.FormatRun(id), env: w.envs[0].id, tags: w.tags[:1], batch: w.envs[0].batch, kept: true,
		})
	}
	return w
}

// connect opens a connection on which Postgres writes values as the shape server
// sends them.
func (w *world) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(w.url)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range replication.SessionSettings() {
		config.RuntimeParams[name] = value
	}
	db, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// feeds are those of a seed: each kind once, and some at random.
func (w *world) feeds(t *testing.T, s settings) []*feed {
	t.Helper()
	both, own := runid.Tables(), w.envs[0]
	tagged := func(name string, env environment, tags ...string) *feed {
		f := &feed{name: name, path: "/realtime/v1/runs", query: map[string]string{}, key: env.key, env: env.id, tags: tags, recent: true, columns: columns, tables: both[:]}
		if len(tags) > 0 {
			f.query["tags"] = strings.Join(tags, ",")
		}
		return f
	}
	batch := &feed{name: "batch", path: "/realtime/v1/batches/" + own.batchFriendly, query: map[string]string{}, key: own.key, env: own.id, batch: own.batch, columns: columns, tables: both[:]}
	// The others come with the environment's own key.
	token, err := auth.Sign(auth.Key(own.key), auth.Token{
		EnvironmentID: own.id, Scopes: []string{"read:batch:" + own.batchFriendly}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	batch.key = token
	narrow := tagged("narrow", own, w.tags[1])
	narrow.query["skipColumns"] = "payload,output,id"
	narrow.columns = without(columns, "payload", "output")
	list := []*feed{tagged("tag", own, w.tags[0]), tagged("two tags", own, w.tags[1], w.tags[0]), batch, narrow, tagged("other environment", w.envs[1], w.tags[0])}
	if r := random(s.seed, 4); chance(r, 30) {
		list = append(list, tagged("everything", own))
	}
	for _, k := range w.kept {
		list = append(list, &feed{
			name: k.table.String() + " run", path: "/realtime/v1/runs/" + k.friendly, query: map[string]string{}, key: own.key, env: own.id,
			id: k.id, columns: columns, tables: []runid.Table{k.table},
		})
	}
	r := random(s.seed, 8)
	for _, f := range list {
		f.modern = chance(r, 60)
	}
	return list
}

func without(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(names, v) })
}

// selectRows asks Postgres for what a feed selects.
func (f *feed) selectRows(ctx context.Context, db *pgx.Conn) (map[string]values, error) {
	rows := make(map[string]values)
	for _, table := range f.tables {
		var texts []string
		for _, c := range f.columns {
			texts = append(texts, pgx.Identifier{c}.Sanitize()+"::text")
		}
		sql := "SELECT ARRAY[" + strings.Join(texts, ", ") + "] FROM " + table.SQL() + ` WHERE "runtimeEnvironmentId" = $1`
		args := []any{f.env}
		also := func(condition string, arg any) {
			args = append(args, arg)
			sql += fmt.Sprintf(" AND "+condition, len(args))
		}
		if len(f.tags) > 0 {
			also(`"runTags" @> $%d`, f.tags)
		}
		if f.batch != "" {
			also(`"batchId" = $%d`, f.batch)
		}
		if f.id != "" {
			also(`"id" = $%d`, f.id)
		}
		if f.recent {
			also(`"createdAt" > $%d`, since())
		}
		result, err := db.Query(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		lists, err := pgx.CollectRows(result, pgx.RowTo[[]*string])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		for _, list := range lists {
			row := make(values)
			for i, c := range f.columns {
				row[c] = list[i]
			}
			rows[rowKey(table.Name(), *row["id"])] = f.told(row)
		}
	}
	return rows, nil
}
