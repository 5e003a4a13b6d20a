package steady

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// answer is what one read gets: so many rows of the log, and how much of the body
// arrives.
type answer struct {
	handle string
	rows   int
	arrive float64 // of the body; 1: all of it
	upTo   bool    // it ends with an up-to-date
	fault  error   // instead
}

// replies is a Source of a log that grows between the reads.
type replies struct {
	snapshot bool
	apart    bool // there is more than a comma between rows: each comes alone
	enough   int  // that is read together
	mu       sync.Mutex
	answers  []answer // taken one by one
	shift    int      // the rows are others
	open     int
}

const upToDate = `{"headers":{"control":"up-to-date","global_last_seen_lsn":"9"}}`

func (r *replies) row(n int) string {
	if r.snapshot {
		return fmt.Sprintf(`{"key":"%d","value":{"id":"%d"},"headers":{"operation":"insert"}}`, n, n)
	}
	return fmt.Sprintf(`{"key":"%d","value":{"id":"%d"},"headers":{"operation":"insert","lsn":"%d","op_position":0}}`, n, n, 10+n)
}

func (r *replies) end(rows int) shapes.Offset {
	if r.snapshot {
		return shapes.SnapshotEnd
	}
	return shapes.LogOffset(uint64(9+rows), 0)
}

func (r *replies) body(a answer) string {
	var parts []string
	for n := range a.rows {
		parts = append(parts, r.row(n+r.shift))
	}
	if a.upTo {
		parts = append(parts, upToDate)
	}
	between := ","
	if r.apart {
		between = ",\n"
	}
	return "[" + strings.Join(parts, between) + "]"
}

func (r *replies) Read(context.Context, *shapes.Definition, shapes.Position) (*shapes.Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.answers[0]
	r.answers = r.answers[1:]
	if a.fault != nil {
		return nil, a.fault
	}
	body := r.body(a)
	var reader io.Reader = strings.NewReader(body)
	if a.arrive < 1 {
		reader = io.MultiReader(strings.NewReader(body[:int(a.arrive*float64(len(body)))]), broken{})
	}
	r.open++
	return &shapes.Page{
		Next: shapes.Position{Handle: a.handle, Offset: r.end(a.rows)}, Messages: shapes.NewScanner(reader),
		Close: r.close,
	}, nil
}

func (r *replies) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	return nil
}

func (*replies) Wait(context.Context, *shapes.Definition, shapes.Position) (*shapes.News, error) {
	panic("nobody waits")
}

// broken is the rest of a body whose connection was reset.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// longest draws the longest pause.
func longest(most time.Duration) time.Duration { return most }

// drain reads a page as a merge does, and gives the rows that came.
func drain(t *testing.T, r *replies, from shapes.Position) (got []string, next shapes.Position, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		page, failed := New(Config{Source: r, Random: longest}).Read(t.Context(), define("a"), from)
		if failed != nil {
			err = failed
			return
		}
		defer func() { _ = page.Close() }()
		defer func() { next = page.Next }()
		for {
			m, failed := page.Messages.Next(r.enough)
			if failed == io.EOF {
				return
			}
			if failed != nil {
				err = failed
				return
			}
			if m.Kind != shapes.Change {
				got = append(got, string(m.Raw))
				continue
			}
			for one := range shapes.Split(m.Raw) {
				got = append(got, string(one))
			}
		}
	})
	return got, next, err
}

// arrived is how many whole messages there are in what arrives of an answer.
func (r *replies) arrived(a answer) (n int) {
	body := r.body(a)
	for messages := shapes.NewScanner(strings.NewReader(body[:int(a.arrive*float64(len(body)))])); ; n++ {
		if _, err := messages.Next(1); err != nil {
			return n
		}
	}
}

// Wherever and however often a body breaks off, and however much the log has
// grown meanwhile, what comes is an answer as it was when its first message came:
// every row once, in order, no more, and an up-to-date only if it still holds.
func TestResume(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &replies{
			snapshot: rapid.Bool().Draw(rt, "snapshot"), apart: rapid.Bool().Draw(rt, "apart"),
			enough: rapid.IntRange(1, 200).Draw(rt, "enough"),
		}
		rows := rapid.IntRange(0, 6).Draw(rt, "rows")
		given, first := 0, 0
		add := func(a answer) {
			if r.answers = append(r.answers, a); a.fault == nil {
				if given == 0 {
					first = a.rows
				}
				given = max(given, r.arrived(a))
			}
		}
		for range rapid.IntRange(0, 4).Draw(rt, "breaks") {
			if rapid.IntRange(0, 3).Draw(rt, "fault") == 0 && len(r.answers) > 0 {
				add(answer{fault: &shapes.Unavailable{Err: errors.New("down")}})
			}
			add(answer{"h", rows, rapid.Float64Range(0, 0.999).Draw(rt, "arrive"), true, nil})
			if !r.snapshot {
				rows += rapid.IntRange(0, 2).Draw(rt, "more")
			}
		}
		add(answer{"h", rows, 1, true, nil})
		all := slices.Clone(r.answers)
		got, next, err := drain(t, r, shapes.Position{Handle: "h", Offset: shapes.LogOffset(1, 0)})
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		for n := range first {
			want = append(want, r.row(n))
		}
		// An answer may be given whole before the log has grown.
		if rows == first || len(got) == first+1 {
			want = append(want, upToDate)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || next.Offset != r.end(first) {
			rt.Fatalf("%+v\ngot  %v up to %v\nwant %v", all, got, next, want)
		}
		if r.open != 0 {
			rt.Fatalf("%d pages were not closed", r.open)
		}
	})
}

// What cannot go on says so: a shape that is gone, so that the body can end; and an
// answer that is another one, or that breaks off for ever.
func TestResumeFails(t *testing.T) {
	cut := answer{"h", 3, 0.6, true, nil}
	for name, c := range map[string]struct {
		snapshot bool
		then     []answer
		rotated  bool
		says     string
	}{
		"rotated":             {then: []answer{{fault: &shapes.Rotated{}}}, rotated: true},
		"another handle":      {then: []answer{{"i", 3, 1, true, nil}}, rotated: true},
		"refused":             {then: []answer{{fault: &shapes.Refused{Status: 400}}}, says: "refused"},
		"ends earlier":        {then: []answer{{"h", 2, 1, true, nil}}, says: "ends earlier"},
		"fewer rows":          {snapshot: true, then: []answer{{"h", 0, 1, true, nil}}, says: "another one"},
		"breaks off for ever": {then: slices.Repeat([]answer{cut}, 1000), says: "reset"},
	} {
		r := &replies{snapshot: c.snapshot, answers: append([]answer{cut}, c.then...)}
		got, _, err := drain(t, r, shapes.Position{Handle: "h", Offset: shapes.LogOffset(1, 0)})
		_, rotated := errors.AsType[*shapes.Rotated](err)
		if err == nil || rotated != c.rotated || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) == 0 || len(got) > 3 {
			t.Errorf("%s: %v came", name, got)
		}
		if r.open != 0 {
			t.Errorf("%s: %d pages were not closed", name, r.open)
		}
	}
}

// Rows that are not those that were given out cannot be gone on from.
func TestResumeNoticesOtherRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{answers: []answer{{"h", 3, 0.6, true, nil}, {"h", 3, 1, true, nil}}}
		page, err := New(Config{Source: r}).Read(t.Context(), define("a"), here)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = page.Close() }()
		r.shift = 1
		n := 0
		for ; err == nil; n++ {
			_, err = page.Messages.Next(1)
		}
		if !strings.Contains(err.Error(), "another one") || n == 1 {
			t.Errorf("%d messages, then %v", n-1, err)
		}
	})
}

// A body that breaks off again and again, but comes further each time, is not
// given up, however long it takes.
func TestALongBodyIsNotGivenUp(t *testing.T) {
	const rows = 100 // and as many breaks, four seconds each
	r := &replies{}
	for n := 1; n <= rows; n++ {
		r.answers = append(r.answers, answer{"h", rows, float64(n) / (rows + 1), true, nil})
	}
	r.answers = append(r.answers, answer{"h", rows, 1, true, nil})
	got, _, err := drain(t, r, here)
	if err != nil || len(got) != rows+1 {
		t.Errorf("%d messages, %v", len(got), err)
	}
}

// What is read once is not asked for again, unless something of it was given: that
// may be on its way to a client, whose body must not break off.
func TestOnceGoesOnAfterTheFirstMessage(t *testing.T) {
	for arrive, want := range map[float64]int{0.01: 0, 0.6: 4} {
		synctest.Test(t, func(t *testing.T) {
			r := &replies{answers: []answer{{"h", 3, arrive, true, nil}, {"h", 3, 1, true, nil}}}
			page, err := New(Config{Source: r}).Once(t.Context(), define("a"), here)
			if err != nil {
				t.Fatal(err)
			}
			n := -1
			for ; err == nil; n++ {
				_, err = page.Messages.Next(1)
			}
			_ = page.Close()
			if n != want || (err == io.EOF) != (want > 0) || r.open != 0 {
				t.Errorf("of %v of a body: %d messages, then %v, %d pages open", arrive, n, err, r.open)
			}
		})
	}
}

// An upstream that begins its answers and cuts them off is not asked more often than
// one that gives none, however many read.
func TestAnUpstreamThatCutsIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{answers: slices.Repeat([]answer{{"h", 3, 0.6, true, nil}}, 1000)}
		s := New(Config{Source: r, Random: func(time.Duration) time.Duration { return 0 }})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		const readers = 10
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				page, err := s.Read(ctx, define("a"), here)
				for err == nil {
					_, err = page.Messages.Next(1)
				}
				if page != nil {
					_ = page.Close()
				}
			})
		}
		all.Wait()
		if asked := 1000 - len(r.answers); asked > readers+2*int(10*time.Second/window+1) || asked < 13 {
			t.Errorf("asked %d times in 10 s", asked)
		}
	})
}

// A shape of which an answer broke off counts as failing until it is read again.
func TestABreakIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{answers: []answer{{"h", 3, 0.6, true, nil}, {"h", 3, 1, true, nil}}}
		s := New(Config{Source: r, Random: longest})
		page, err := s.Read(t.Context(), define("a"), here)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for err == nil {
			_, err = page.Messages.Next(1)
		}
		_ = page.Close()
		if err != io.EOF || time.Since(start) != firstPause {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}
