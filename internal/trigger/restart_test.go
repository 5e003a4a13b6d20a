package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/claims"
	"github.com/realtime-gw/realtime-gw/internal/limits/redistest"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/trigger"
)

// interrupted does something when so many slots have been claimed, before who claimed
// the last of them is told: between a claim and what is published of it.
type interrupted struct {
	claims.Claims
	left *atomic.Int64
	do   func()
}

func (i *interrupted) Claim(ctx context.Context, slot claims.Slot, owner string, ttl time.Duration) (claims.Answer, error) {
	a, err := i.Claims.Claim(ctx, slot, owner, ttl)
	if err == nil && a.State == claims.Claimed && i.left.Add(-1) == 0 {
		i.do()
	}
	return a, err
}

// restarting are two instances whose Redis is killed when so many slots have been
// claimed, and comes back empty at once, while the flag turns at every look.
func restarting(t *testing.T, f *fixture, after int64) []*trigger.Service {
	t.Helper()
	server := redistest.Start(t)
	left, flags := &atomic.Int64{}, &flipping{}
	left.Store(after)
	services := make([]*trigger.Service, 2)
	for i := range services {
		services[i] = f.instance(t, flags, &interrupted{shared(t, server), left, func() {
			server.Kill()
			server.Again(t)
		}})
	}
	t.Cleanup(func() {
		if n := left.Load(); n > 0 {
			t.Errorf("Redis was not killed: %d claims were missing", n)
		}
	})
	return services
}

// perTable counts the runs that have a key, or a token, in each table, of all keys.
func (f *fixture) perTable(t *testing.T, column string) map[string][2]int {
	t.Helper()
	all := map[string][2]int{}
	for _, table := range runid.Tables() {
		rows, err := f.pool.Query(t.Context(), `SELECT `+column+` FROM `+table.SQL()+` WHERE `+column+` IS NOT NULL`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				t.Fatal(err)
			}
			n := all[key]
			n[table]++
			all[key] = n
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestRedisComesBack: Redis is killed between a claim of 200 triggers with one key, or
// token, and what is published of it, and comes back empty at once. There is one run in
// a table at most, nobody is refused for it, and later triggers are told of one run.
func TestRedisComesBack(t *testing.T) {
	for _, after := range []int64{1, 2} {
		for _, token := range []bool{false, true} {
			t.Run(fmt.Sprintf("claim %d, token %v", after, token), func(t *testing.T) {
				f := newFixture(t, nil)
				services := restarting(t, f, after)
				with := func(i int) trigger.Request {
					return request(func(r *trigger.Request) {
						if token {
							r.OneTimeUseToken = "x"
							if after > 1 && i > 0 { // one slot is claimed once: others come to the token from keys of their own
								r.IdempotencyKey = fmt.Sprint(i)
							}
						} else {
							r.IdempotencyKey = "x"
							if after > 1 { // the key's own is the first, and this the next
								r.OneTimeUseToken = fmt.Sprint(i)
							}
						}
					})
				}
				for _, o := range together(t.Context(), 200, services, with, -1, nothing) {
					if o.err != nil && !o.refused(token) {
						t.Fatal(o.err)
					}
				}
				column := map[bool]string{false: `"idempotencyKey"`, true: `"oneTimeUseToken"`}[token]
				if n := f.perTable(t, column)["x"]; n[0] > 1 || n[1] > 1 || n[0]+n[1] == 0 {
					t.Errorf("there are %v runs", n)
				}
				ids := map[string]bool{}
				for i := range 4 {
					got, err := services[i%2].Trigger(t.Context(), sharing(token, "x")(i))
					if token != errors.Is(err, trigger.ErrTokenUsed) || !token && (err != nil || !got.IsCached) {
						t.Errorf("later: %+v, %v", got, err)
					}
					ids[got.ID] = true
				}
				if len(ids) != 1 {
					t.Errorf("later triggers are told of %v", ids)
				}
			})
		}
	}
}

// The same among 1,000 keys, each triggered twice: a key that was at work at that moment
// may have a run in each table, all others have one, and none has two in one table.
func TestRedisComesBackAmongManyKeys(t *testing.T) {
	f := newFixture(t, nil)
	services := restarting(t, f, 500)
	const atOnce = 200
	for hundred := range 10 {
		for _, o := range together(t.Context(), atOnce, services, func(i int) trigger.Request {
			return request(func(r *trigger.Request) { r.IdempotencyKey = fmt.Sprint(hundred, ":", i/2) })
		}, -1, nothing) {
			if o.err != nil {
				t.Fatal(o.err)
			}
		}
	}
	all, twice := f.perTable(t, `"idempotencyKey"`), map[string]bool{}
	for key, n := range all {
		if n[0] > 1 || n[1] > 1 {
			t.Errorf("%s has %v runs", key, n)
		}
		if n[0]+n[1] == 2 {
			twice[key[:1]] = true
		}
	}
	if len(all) != 1000 || len(twice) > 1 {
		t.Errorf("%d keys have a run, and of those that were not at work at the same time some have two: %v", len(all), twice)
	}
}

// While no flag is turned nothing is lost without a Redis, on two instances: the index
// of the table that both write keeps a key and a token apart.
func TestNothingIsLostWhileNoFlagIsTurned(t *testing.T) {
	f := newFixture(t, nil)
	for _, table := range runid.Tables() {
		f.at(table)
		for name, of := range map[string]func() claims.Claims{
			"none": func() claims.Claims { return nil },
			"dead": func() claims.Claims { s := redistest.Start(t); s.Kill(); return shared(t, s) },
		} {
			services := []*trigger.Service{f.instance(t, f.flag, of()), f.instance(t, f.flag, of())}
			for _, token := range []bool{false, true} {
				x := fmt.Sprint(table, name, token)
				made := 0
				for _, o := range together(t.Context(), 50, services, sharing(token, x), -1, nothing) {
					switch {
					case o.err == nil && !o.IsCached:
						made++
					case o.err != nil && !o.refused(token):
						t.Fatal(o.err)
					}
				}
				if n := f.count(t, ofThese, x); made != 1 || n != 1 {
					t.Errorf("%s: %d were told that they made it, and there are %d", x, made, n)
				}
			}
		}
	}
}
