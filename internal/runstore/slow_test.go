package runstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
)

// A list that Postgres does not finish in time is ErrTooSlow, on the primary and on a
// replica, which is not followed by the primary; and it is the list's own time. Here
// a locked table makes it slow.
func TestSlowLists(t *testing.T) {
	f := newFixture(t)
	within, end := context.WithTimeout(t.Context(), time.Minute) // or a list without a bound would wait for ever
	defer end()
	run := f.create(t, f.newRun(runid.V2))
	connect := func(statementTimeout string) *pgxpool.Pool {
		config := f.pool.Config()
		config.MaxConns = 1
		if statementTimeout != "" {
			config.ConnConfig.RuntimeParams["statement_timeout"] = statementTimeout
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	store := func(c runstore.Config) *runstore.Store {
		s, err := runstore.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all := runstore.Query{EnvironmentID: env, Order: runstore.NewestFirst, Limit: 1}
	const soon, late = 50 * time.Millisecond, time.Hour
	stores := map[string]*runstore.Store{
		"by its own time":              store(runstore.Config{Primary: connect(""), ListTime: soon}),
		"that is shorter":              store(runstore.Config{Primary: connect("1h"), ListTime: soon}),
		"by the database's":            store(runstore.Config{Primary: connect("50ms"), ListTime: late}),
		"by the database's by default": store(runstore.Config{Primary: connect("50ms")}),
		"by the database's alone":      store(runstore.Config{Primary: connect("50ms"), ListTime: -1}),
		"on a replica":                 store(runstore.Config{Primary: connect(""), Replica: connect(""), ListTime: soon}),
	}
	unbounded := store(runstore.Config{Primary: connect(""), ListTime: -1})
	// Each connection knows its statements before the table is locked: to be told of one
	// waits for the table as well, outside of a list's time.
	own := stores["by its own time"]
	lists := map[string]func() error{
		"FindMany": func() error { _, err := own.FindMany(within, runstore.Query{EnvironmentID: env}); return err },
		"FindOne":  func() error { _, err := own.FindOne(within, env, runstore.Filter{}); return err },
		"Count":    func() error { _, err := own.Count(within, env, runstore.Filter{}); return err },
		"FindByID": func() error { _, err := own.FindByID(t.Context(), run.Key()); return err },
		"FindPage": func() error { _, err := unbounded.FindPage(within, all); return err },
	}
	for name, list := range lists {
		if err := list(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, s := range stores {
		if _, err := s.FindPage(within, all); err != nil {
			t.Fatalf("a page, %s: %v", name, err)
		}
	}
	err := pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `LOCK TABLE task_run_v2 IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		for name, s := range stores {
			f.asked.take()
			if _, err := s.FindPage(within, all); !errors.Is(err, runstore.ErrTooSlow) {
				t.Errorf("a page, %s: %v", name, err)
			}
			if sql := f.asked.take(); len(sql) != 1 {
				t.Errorf("a page, %s, was asked for as %q", name, sql)
			}
		}
		for _, name := range []string{"FindMany", "FindOne", "Count"} {
			if err := lists[name](); !errors.Is(err, runstore.ErrTooSlow) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What is no list has no such bound, nor has a list without one: the caller ends it.
		for name, wait := range map[string]func(context.Context) error{
			"a run":                  func(ctx context.Context) error { _, err := own.FindByID(ctx, run.Key()); return err },
			"a list without a bound": func(ctx context.Context) error { _, err := unbounded.FindPage(ctx, all); return err },
		} {
			ctx, done := context.WithTimeout(t.Context(), 4*soon)
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, runstore.ErrTooSlow) {
				t.Errorf("%s: %v", name, err)
			}
			done()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	// In a transaction such a list spoils nothing. Its connection knows the statement
	// already: to be told of it holds the table until the transaction ends.
	pool := connect("")
	if _, err := store(runstore.Config{Primary: pool}).FindPage(within, all); err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		in := own.In(tx)
		if _, err := in.FindPage(within, all); err != nil {
			return err
		}
		unlock, err := f.pool.Begin(t.Context())
		if err != nil {
			return err
		}
		defer func() { _ = unlock.Rollback(t.Context()) }()
		if _, err := unlock.Exec(t.Context(), `LOCK TABLE task_run_v2 IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if _, err := in.FindPage(within, all); !errors.Is(err, runstore.ErrTooSlow) {
			t.Errorf("in a transaction: %v", err)
		}
		if err := unlock.Rollback(t.Context()); err != nil {
			return err
		}
		page, err := in.FindPage(within, all)
		if err != nil || len(page.Runs) != 1 {
			t.Errorf("afterwards: %d runs, %v", len(page.Runs), err)
		}
		_, err = in.Requeue(t.Context(), run.Key())
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
