package metrics

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/realtime-gw/realtime-gw/internal/embedded"
	"github.com/realtime-gw/realtime-gw/internal/feeds"
	"github.com/realtime-gw/realtime-gw/internal/gateway"
	"github.com/realtime-gw/realtime-gw/internal/memo"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/admission"
	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
	"github.com/realtime-gw/realtime-gw/internal/shapes/steady"
)

// upstream is an embedded upstream to look at.
type upstream struct{ lost error }

func (u upstream) Stats() embedded.Stats { return embedded.Stats{Shapes: 3} }
func (u upstream) Lag(context.Context) (embedded.Lag, error) {
	return embedded.Lag{Unread: 5, Retained: 7}, u.lost
}

// complete is a Metrics that watches everything that can be watched.
func complete(u upstream) *Metrics {
	m := New()
	m.WatchReady(func() bool { return true })
	m.WatchFlights(func() flight.Stats { return flight.Stats{InAir: 2} })
	m.WatchOrigin(1, func() steady.Stats { return steady.Stats{} })
	m.WatchOrigin(2, func() steady.Stats { return steady.Stats{Open: true, Failing: 4, Retries: 9} })
	m.WatchAdmission(1, func() admission.Stats { return admission.Stats{Known: admission.Usage{Used: 8000, Refused: 1}} })
	m.WatchRepairs(1, func() uint64 { return 1 })
	m.WatchUncounted(func() uint64 { return 1 })
	m.WatchClaims(func() uint64 { return 1 })
	m.WatchCaches(func() map[string]memo.Counts { return map[string]memo.Counts{"run": {Hits: 1, Misses: 2}} })
	m.WatchEmbedded(u)
	m.Commits()
	m.Answered(gateway.Answered{Route: "/healthz", Status: 200})
	return m
}

// described is what is said of a metric: its name, kind and labels.
func described(t *testing.T, m *Metrics) (all []string) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			if !strings.HasPrefix(f.GetName(), "go_") && !strings.HasPrefix(f.GetName(), "process_") {
				t.Errorf("%s is neither ours nor of Go or the process", f.GetName())
			}
			continue
		}
		var labels []string
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+pair.GetName()+"`")
		}
		slices.Sort(labels)
		all = append(all, f.GetName()+" "+strings.ToLower(f.GetType().String())+" "+strings.Join(labels, ", "))
	}
	return all
}

var documented = regexp.MustCompile("(?m)^\\| `(realtime_gw_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*?) ?\\| .{20,}\\|$")

// What is registered stands in docs/metrics.md, with its kind and labels, and
// nothing else does.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, line := range documented.FindAllStringSubmatch(string(text), -1) {
		labels := strings.Split(line[3], ", ")
		slices.Sort(labels)
		said = append(said, line[1]+" "+line[2]+" "+strings.Join(labels, ", "))
	}
	slices.Sort(said)
	if diff := cmp.Diff(described(t, complete(upstream{})), said); diff != "" {
		t.Errorf("registered (-) and documented (+):\n%s", diff)
	}
	for _, words := range [][]string{outcomes[:], callOutcomes[:]} {
		for _, word := range words {
			if !strings.Contains(string(text), "`"+word+"`") {
				t.Errorf("no word of the outcome %q", word)
			}
		}
	}
	for _, reason := range feeds.Reasons {
		if !strings.Contains(string(text), "`"+string(reason)+"`") {
			t.Errorf("no word of the cause %q", reason)
		}
	}
}

// Names and help are as Prometheus wants them.
func TestConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(complete(upstream{}).registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// A database that does not answer costs two metrics, and not the others.
func TestLagThatIsNotKnown(t *testing.T) {
	known, unknown := described(t, complete(upstream{})), described(t, complete(upstream{lost: errors.New("down")}))
	missing := slices.DeleteFunc(known, func(s string) bool { return slices.Contains(unknown, s) })
	if want := []string{prefix + "embedded_lag_bytes gauge ", prefix + "embedded_slot_retained_bytes gauge "}; !slices.Equal(missing, want) {
		t.Errorf("missing are %q", missing)
	}
}

// Counting makes no garbage.
func TestCountingAllocatesNothing(t *testing.T) {
	m := New()
	commits := m.Commits()
	source := m.Count(silent{})
	def := shapes.Define(shapes.V2Table, []string{"id"})
	ctx, pos := t.Context(), shapes.Position{}
	a := gateway.Answered{Route: strings.Repeat("/x", 3), Status: 200, Bytes: 10, Took: time.Second}
	m.Answered(a)
	if n := testing.AllocsPerRun(100, func() {
		m.Answered(a)
		m.Holding(1)
		m.Limited()
		m.Refetched(feeds.ShapeGone)
		m.Landed(3)
		commits(time.Second)
		_, _ = source.Read(ctx, def, pos)
		_, _ = source.Wait(ctx, def, pos)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// silent answers with what it has.
type silent struct{ err error }

func (s silent) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	return nil, s.err
}

var noNews shapes.News

func (s silent) Wait(context.Context, *shapes.Definition, shapes.Position) (*shapes.News, error) {
	return &noNews, s.err
}

// Each end of a request and of a call has its own word.
func TestOutcomes(t *testing.T) {
	for word, a := range map[string]gateway.Answered{
		"ok": {Status: 200}, "must_refetch": {Status: 409}, "bad_request": {Status: 400}, "unauthorized": {Status: 401}, "forbidden": {Status: 403},
		"not_found": {Status: 404}, "limited": {Status: 429}, "client_gone": {Status: 499}, "unavailable": {Status: 503}, "error": {Status: 500},
		"broken": {Status: 200, Broken: true}, "other": {Status: 405},
	} {
		if got := outcomes[outcomeOf(a)]; got != word {
			t.Errorf("%+v is %s, want %s", a, got, word)
		}
	}
	def := shapes.Define(shapes.LegacyTable, []string{"id"})
	for word, err := range map[string]error{
		"empty": nil, "rotated": &shapes.Rotated{}, "unavailable": &shapes.Unavailable{Err: errors.New("x")},
		"refused": &shapes.Refused{}, "cancelled": context.Canceled,
	} {
		m := New()
		_, _ = m.Count(silent{err}).Wait(t.Context(), def, shapes.Position{})
		calls := m.upstream[shapes.LegacyTable]
		for i, w := range callOutcomes {
			if got := testutil.ToFloat64(calls.wait[i]); (got == 1) != (w == word) {
				t.Errorf("%v counts as %s: %v", err, w, got)
			}
		}
	}
}
