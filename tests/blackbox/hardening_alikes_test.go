package blackbox

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/runstore"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// alikes is everything behind a gateway, for two environments that are as alike
// as they can be: each has a run and a batch of every id, and the upstream gives
// all shapes one handle. Nothing but the definitions tells their flights apart.
type alikes struct {
	mu    sync.Mutex
	waits []string
}

func key(environment string) string { return "tr_prod_" + environment }

func (*alikes) entry(environment string) *auth.Entry {
	return &auth.Entry{
		Environment: auth.Environment{ID: environment, Type: auth.Production}, Key: auth.Key(key(environment)), SigningKeys: []auth.Key{auth.Key(key(environment))},
		Grant: &auth.Grant{Key: auth.Key(key(environment)), Scopes: auth.Everything()},
	}
}

func (a *alikes) EnvironmentByID(_ context.Context, id string) (*auth.Entry, error) {
	return a.entry(id), nil
}

func (a *alikes) EnvironmentByKey(_ context.Context, k auth.Key) (*auth.Entry, error) {
	return a.entry(strings.TrimPrefix(string(k), key(""))), nil
}

func (*alikes) FindRefByFriendlyID(_ context.Context, _ string, id runid.Friendly) (runstore.Ref, error) {
	return runstore.Ref{ID: id.Suffix(), FriendlyID: id.String(), TaskIdentifier: "task"}, nil
}

func (*alikes) FindBatchByFriendlyID(_ context.Context, _ string, id runid.Friendly) (runstore.Batch, error) {
	return runstore.Batch{ID: id.Suffix(), FriendlyID: id.String()}, nil
}

func (*alikes) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return &shapes.Page{
		Next: shapes.Position{Handle: "17-23", Offset: shapes.SnapshotEnd}, Schema: `{"id":{"type":"text"}}`,
		Messages: shapes.NewScanner(strings.NewReader(`[{"headers":{"control":"up-to-date"}}]`)), Close: func() error { return nil },
	}, nil
}

func (a *alikes) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	a.mu.Lock()
	a.waits = append(a.waits, def.Query()+" "+pos.Handle+" "+pos.Offset.String())
	a.mu.Unlock()
	<-ctx.Done()
	return nil, ctx.Err()
}

// asker is somebody who follows a feed: what is asked for, and with what right.
type asker struct {
	environment  string
	token        bool
	hides        []string // by the token
	path, id     string
	tags, skip   []string
	within       string
	scopes, name string
}

func drawAsker(t *rapid.T, name string) asker {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name+" "+label) }
	some := func(label string, from ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(from), 0, 3).Draw(t, name+" "+label)
	}
	a := asker{
		name: name, environment: pick("environment", "env_a", "env_b"), token: rapid.Bool().Draw(t, name+" has a token"), scopes: pick("scopes", "admin", "read:all", "read:runs"),
		path: pick("path", "runs/", "batches/", "runs"), id: pick("id", "cmzzzzzzzzzzzzzzzzzzzzzzz", "2ZzZzZzZzZzZzZzZzZzZzZzZzZz"),
		tags: some("tags", "a", "b", "env_b"), within: pick("window", "", "1h", "60m", "61m", "24h"), skip: some("skip", "payload", "output", "id", "nothing"),
	}
	if a.token && rapid.Bool().Draw(t, name+"'s token hides") {
		a.hides = append([]string{}, some("hides", "payload", "output", "id")...)
	}
	return a
}

// shape is what the asker may see, written down without the gateway's help: who
// has the same may share, and nobody else.
func (a asker) shape() string {
	hidden := a.skip
	if a.hides != nil {
		hidden = a.hides
	}
	var columns []string
	for _, c := range []string{"payload", "output"} { // the others cannot be hidden, or are none
		if !slices.Contains(hidden, c) {
			columns = append(columns, c)
		}
	}
	what := a.path + a.id
	if a.path == "runs" {
		tags := slices.Clone(a.tags)
		slices.Sort(tags)
		window := map[string]string{"": "24h", "60m": "1h", "61m": "2h"}[a.within]
		if window == "" {
			window = a.within
		}
		what = fmt.Sprint(slices.Compact(tags), window)
	}
	return fmt.Sprint(a.environment, columns, what)
}

func (a asker) sides() int {
	if a.path == "runs/" {
		return 1
	}
	return 2
}

func (a asker) request(query url.Values) *http.Request {
	path := "/realtime/v1/" + a.path
	switch a.path {
	case "runs/":
		path += "run_" + a.id
	case "batches/":
		path += "batch_" + a.id
	default:
		query.Set("tags", strings.Join(a.tags, ","))
		query.Set("createdAt", a.within)
	}
	query.Set("skipColumns", strings.Join(a.skip, ","))
	r := httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), http.NoBody)
	credential := key(a.environment)
	if a.token {
		now := time.Now()
		var err error
		credential, err = auth.Sign(auth.Key(credential), auth.Token{EnvironmentID: a.environment, Scopes: []string{a.scopes}, SkipColumns: a.hides, IssuedAt: now, Expires: now.Add(time.Hour)})
		if err != nil {
			panic(err)
		}
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	return r
}

// together has both follow their feeds at the same time, and counts the calls of
// which the upstream holds one.
func (a *alikes) together(t *testing.T, askers ...asker) (held []string, err error) {
	synctest.Test(t, func(t *testing.T) {
		flights := flight.New(flight.Config{Source: a})
		defer flights.Close()
		codec, _ := cursor.NewCodec(bytes.Repeat([]byte("k"), cursor.MinKey))
		authenticator, _ := auth.NewAuthenticator(auth.Config{Directory: a})
		handler, failed := gateway.New(gateway.Config{
			Auth: authenticator, Finder: a, Log: zerolog.Nop(),
			Feeds: feeds.New(feeds.Config{Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}), Codec: codec}),
		})
		if failed != nil {
			t.Fatal(failed)
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		for _, who := range askers {
			first := httptest.NewRecorder()
			handler.ServeHTTP(first, who.request(url.Values{"offset": {"-1"}}))
			at := reply{status: first.Code, header: first.Header(), body: first.Body.String()}
			if at.status != 200 {
				err = fmt.Errorf("%s: %d %s", who.name, at.status, at.body)
				return
			}
			place, _ := url.ParseQuery(at.place("live", "true"))
			go func() {
				defer func() { _ = recover() }() // who leaves is cut
				handler.ServeHTTP(httptest.NewRecorder(), who.request(place).WithContext(ctx))
			}()
		}
		synctest.Wait()
		a.mu.Lock()
		held = slices.Clone(a.waits)
		a.mu.Unlock()
	})
	return held, err
}
