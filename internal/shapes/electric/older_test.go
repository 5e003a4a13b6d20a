package electric

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// replayed asks for one recorded exchange and answers with what follows.
func replayed(t *testing.T, asked exchange, answers ...exchange) (meant, error) {
	t.Helper()
	q, why := asked.asked()
	if why != "" {
		t.Fatal(why)
	}
	server := newScripted(t)
	for _, x := range answers {
		server.script <- reply{wire: x.Response.wire(1 << 20), hangUp: true}
	}
	got, err := ask(t, server.client(t, ""), q)
	server.close()
	return got, err
}

// 1.2.4 has no electric-has-data: whether there is nothing beyond is read from
// the body.
func TestOlderElectricDoesNotSayWhetherThereIsData(t *testing.T) {
	for id, want := range map[string]bool{"snap": false, "next": true, "live": true, "live-2": true} {
		x := find(t, "1.2.4/06-empty-shape", id)
		if x.Response.header("electric-has-data") != "" {
			t.Errorf("%s: the recording has electric-has-data", id)
		}
		if got, err := replayed(t, x, x); err != nil || got.upToDate != want {
			t.Errorf("%s: %+v, %v; want up to date %v", id, got, err, want)
		}
	}
}

// Until 1.2.4 has seen a transaction its global_last_seen_lsn is "0", which is
// as good as none: it must not look like a place that was reached.
func TestOlderElectricKnowsNoLSNAtFirst(t *testing.T) {
	x := find(t, "1.2.4/06-empty-shape", "next")
	if !strings.Contains(x.Response.Body, `"global_last_seen_lsn":"0"`) {
		t.Fatalf("recorded was %s", x.Response.Body)
	}
	if got, err := replayed(t, x, x); err != nil || got.lsn != "0" || !got.upToDate {
		t.Errorf("got %+v, %v", got, err)
	}
}

// 1.2.4 refuses an offset ahead of its shape at once. Its first answer after a
// kill was such a 400 for an offset that was good again a moment later, while
// it called itself active: the reader must not notice.
func TestOlderElectricIsBehindAfterAKill(t *testing.T) {
	const file = "1.2.4/21-restart-offsets"
	behind, health := find(t, file, "e-after-kill"), find(t, "1.2.4/18-secret", "health")
	again := find(t, file, "e-after-write")
	got, err := replayed(t, behind, behind, health, again)
	if err != nil || got.kind != "rows" || got.count == 0 || !got.upToDate {
		t.Errorf("caught up: got %+v, %v", got, err)
	}
	if got, _ := replayed(t, behind, behind, health, find(t, file, "e-after-kill-1")); got != (meant{kind: "rotated"}) {
		t.Errorf("lost for good: got %+v", got)
	}
	starting := find(t, "13-unavailable", "db-health")
	if got, _ := replayed(t, behind, behind, starting); got != (meant{kind: "unavailable"}) {
		t.Errorf("starting: got %+v", got)
	}
}

// After a kill 1.2.4 calls a reader at 0_0 up to date at 0_0, and leaves the log
// out. That is silence for the reader, and no step back.
func TestOlderElectricForgetsALog(t *testing.T) {
	x := find(t, "1.2.4/21-restart-offsets", "e-refetch-next")
	got, err := replayed(t, x, x)
	if err != nil || got.count != 0 || !got.upToDate || !strings.HasSuffix(got.next, " 0_0") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// An answer to a reader that follows a new shape closely can be empty, not up
// to date, and further on.
func TestEarlyChunksMoveTheReader(t *testing.T) {
	for _, of := range [][2]string{{"1.2.4/04-single-run", "next"}, {"20-early-chunk", "t24-next"}} {
		x := find(t, of[0], of[1])
		q, _ := x.asked()
		got, err := replayed(t, x, x)
		if err != nil || got.count != 0 || got.upToDate || got.next != q.pos.Handle+" 0_1" {
			t.Errorf("%v: got %+v, %v", of, got, err)
		}
	}
}

// A 503 of 1.2.4 names the database's host and port, and its 500 holds the text
// of an exception. They are known from its source, not recorded. Nothing of them
// may be in the error, whose text others might show.
func TestBodiesOfFaultsAreNotRepeated(t *testing.T) {
	x := find(t, "1.2.4/06-empty-shape", "next")
	for status, body := range map[int]string{
		http.StatusServiceUnavailable:  `{"message":"(Postgrex) connection refused while trying to connect to db.internal:5432"}`,
		http.StatusInternalServerError: `{"error":"** (RuntimeError) could not open /var/lib/electric"}`,
	} {
		fault := x
		fault.Response = recordedResponse{Status: status, Reason: "Fault", Headers: [][2]string{{"retry-after", "5"}}, Body: body}
		_, err := replayed(t, x, fault)
		var unavailable *shapes.Unavailable
		if !errors.As(err, &unavailable) || unavailable.RetryAfter.Seconds() != 5 {
			t.Errorf("%d: got %v", status, err)
			continue
		}
		for _, word := range []string{"db.internal", "5432", "RuntimeError", "/var/lib"} {
			if strings.Contains(err.Error(), word) || strings.Contains(errors.Unwrap(err).Error(), word) {
				t.Errorf("%d: the error repeats %q: %v", status, word, err)
			}
		}
	}
}

// The secret and the values that a definition binds are cut from what an upstream
// says, also where one is part of another, and however it was written.
func TestRefusalsDoNotRepeatValues(t *testing.T) {
	tags := []string{"abc", "abcdef", `say "hi" \ <b>`}
	def := shapes.Define(shapes.LegacyTable, []string{"id"}, shapes.ContainsAll("runTags", tags), shapes.Equal("batchId", ""))
	text := `{"errors":{"where":["no abcdef, no abc, no say \"hi\" \\ <b>, no say "hi" \ <b>"]}} /v1/shape?x=say+%22hi%22+%5C+%3Cb%3E&secret=s%26%22 s&" s&\"`
	want := `{"errors":{"where":["no params[2], no params[1], no params[3], no params[3]"]}} /v1/shape?x=params[3]&secret=secret secret secret`
	if got := conceal(text, append(values(def), bound{`s&"`, "secret"})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// 1.2.4 admits a tenth of what later ones do, and says only in its name which it is.
func TestOlderElectricAdmitsLess(t *testing.T) {
	c, err := New(Config{Origin: "http://electric"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Admits() != 10_000 {
		t.Errorf("one that has said nothing admits %d", c.Admits())
	}
	for _, says := range []struct {
		server string
		admits int
	}{
		{"ElectricSQL/1.2.4", 1000}, {"nginx/1.2.4", 1000}, {"", 1000}, {"ElectricSQL/1.7.12", 10_000}, {"ElectricSQL", 10_000},
		{"ElectricSQL/1", 10_000}, {"ElectricSQL/0.9.0-beta.1", 1000}, {"ElectricSQL/x.y.z", 1000}, {"realtime-gw-embedded/1.2.0", 1000}, {"ElectricSQL/2.0.0", 10_000},
	} {
		if c.learn(http.Header{"Electric-Server": {says.server}}); c.Admits() != says.admits {
			t.Errorf("after %q it admits %d, not %d", says.server, c.Admits(), says.admits)
		}
	}
}
