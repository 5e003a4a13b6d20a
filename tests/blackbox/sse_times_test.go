package blackbox

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/realtime-gw/realtime-gw/internal/auth"
	"github.com/realtime-gw/realtime-gw/internal/census"
	"github.com/realtime-gw/realtime-gw/internal/cursor"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/merge"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// timetable is an upstream, and all else behind a gateway, that does things at their
// time: news of the legacy table, or what its waits fail with. Both environments
// have legacy runs, and v2 runs from born on.
type timetable struct {
	alikes
	began  time.Time
	news   []time.Duration
	fails  map[time.Duration]error
	born   time.Duration // 0: never
	tokens time.Duration // how long the token is good; 0: for a day
}

func (s *timetable) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	for i, at := range s.news {
		if !strings.Contains(def.Query(), "task_run_v2") && uint64(i) >= pos.Offset.Tx {
			select {
			case <-time.After(at - time.Since(s.began)):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if err := s.fails[at]; err != nil {
				return nil, err
			}
			news := &shapes.News{Next: shapes.Position{Handle: pos.Handle, Offset: shapes.LogOffset(uint64(i)+1, 0)}}
			row := fmt.Sprintf(`[{"key":"%d","headers":{"operation":"insert"}},{"headers":{"control":"up-to-date"}}]`, i)
			_, err := news.Fill(shapes.NewBytesScanner([]byte(row)), 1<<20)
			return news, err
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *timetable) EnvironmentsWithRuns(_ context.Context, asked [census.Tables][]string) (found [census.Tables][]string, err error) {
	found[0] = asked[0]
	if s.born > 0 && time.Since(s.began) >= s.born {
		found[1] = asked[1]
	}
	return found, nil
}

// diary notes when what was written, in seconds, one line a write: rows by their
// keys.
type diary struct {
	*httptest.ResponseRecorder
	began time.Time
	lines []string
}

func (d *diary) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	switch {
	case strings.Contains(text, "up-to-date"):
		text = "up-to-date"
	case strings.Contains(text, `"key"`):
		text = "row"
	}
	d.lines = append(d.lines, fmt.Sprintf("%.3g %s", time.Since(d.began).Seconds(), text))
	return d.ResponseRecorder.Write(p)
}

// A stream begins with its first news, gives signs of life, and ends when its time
// has come, at a moment at which its reader has everything.
func TestTheTimesOfAStream(t *testing.T) {
	row := func(at string) []string { return []string{at + " row", at + " up-to-date"} }
	lines := slices.Concat[[]string]
	alive := func(at ...string) (all []string) {
		for _, a := range at {
			all = append(all, a+" : keep-alive")
		}
		return all
	}
	down := &shapes.Unavailable{Err: fmt.Errorf("down")}
	for name, c := range map[string]struct {
		s    *timetable
		want []string
		ends string
	}{
		"one row": {&timetable{news: []time.Duration{3 * time.Second}}, lines(row("3"), alive("8", "13", "15")), "15"},
		"rows all the time": {
			&timetable{news: []time.Duration{1 * time.Second, 4 * time.Second, 10 * time.Second, 14 * time.Second, 17 * time.Second}},
			lines(row("1"), row("4"), alive("9"), row("10"), row("14"), alive("15")), "15",
		},
		"the upstream fails": {
			&timetable{news: []time.Duration{1 * time.Second, 2 * time.Second}, fails: map[time.Duration]error{2 * time.Second: down}},
			lines(row("1"), alive("6", "11", "15")), "15",
		},
		"it is rotated at once": {
			&timetable{news: []time.Duration{200 * time.Millisecond, 300 * time.Millisecond}, fails: map[time.Duration]error{300 * time.Millisecond: &shapes.Rotated{}}},
			row("0.2"), "1.1",
		},
		"it is rotated later": {
			&timetable{news: []time.Duration{200 * time.Millisecond, 3 * time.Second}, fails: map[time.Duration]error{3 * time.Second: &shapes.Rotated{}}},
			row("0.2"), "3",
		},
		"the token ends":          {&timetable{news: []time.Duration{time.Second}, tokens: 4 * time.Second}, lines(row("1"), alive("4")), "4"},
		"a table gains runs":      {&timetable{news: []time.Duration{time.Second}, born: 3500 * time.Millisecond}, lines(row("1"), alive("4")), "4"},
		"a table had them before": {&timetable{news: []time.Duration{5 * time.Second}, born: time.Second}, lines(row("5"), alive("10", "15")), "15"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playTimes(t, c.s, c.want, c.ends) })
		})
	}
}

func playTimes(t *testing.T, s *timetable, want []string, ends string) {
	flights := flight.New(flight.Config{Source: s})
	defer flights.Close()
	people, _ := census.New(census.Config{Store: s})
	defer people.Close()
	codec, _ := cursor.NewCodec(bytes.Repeat([]byte("k"), cursor.MinKey))
	authenticator, _ := auth.NewAuthenticator(auth.Config{Directory: s})
	handler, err := gateway.New(gateway.Config{
		Auth: authenticator, Finder: s, Log: zerolog.Nop(),
		Feeds: feeds.New(feeds.Config{Merger: merge.New(merge.Config{Upstreams: [merge.Sides]*flight.Group{flights, flights}}), Codec: codec, Census: people}),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.began = time.Now()
	who := asker{environment: "env_a", path: "runs", token: true, scopes: "admin"}
	first := httptest.NewRecorder()
	handler.ServeHTTP(first, who.request(url.Values{"offset": {"-1"}}))
	place, _ := url.ParseQuery(reply{header: first.Header()}.place("live", "true", "live_sse", "true"))
	r := who.request(place)
	if s.tokens > 0 {
		credential, _ := auth.Sign(auth.Key(key("env_a")), auth.Token{EnvironmentID: "env_a", Scopes: []string{"admin"}, IssuedAt: s.began, Expires: s.began.Add(s.tokens)})
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	d := &diary{ResponseRecorder: httptest.NewRecorder(), began: s.began}
	handler.ServeHTTP(d, r)
	if end := fmt.Sprintf("%.3g", time.Since(s.began).Seconds()); d.Code != 200 || end != ends || strings.Join(d.lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d, ends at %s:\n%s\nwant %s:\n%s", d.Code, end, strings.Join(d.lines, "\n"), ends, strings.Join(want, "\n"))
	}
}
