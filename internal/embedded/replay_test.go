package embedded

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scenario is a recording and how it is replayed. A recording holds one outcome
// of its races; the stages make that outcome certain here.
type scenario struct {
	name   string
	change string // what is done otherwise than recorded, and why
	stages []stage
	skip   func(i int, s step) bool // steps that are not replayed
	forget string                   // before this exchange, renamings of handles are forgotten
	later  map[string]int           // before this exchange, the SQL step is run instead of in its place
}

// stage interrupts the statements of one SQL step.
type stage struct {
	step   int // index of the step
	after  int // so many statements
	await  []string
	ask    string // this exchange is asked now
	reason string
}

// replay is a scenario while it runs.
type replay struct {
	*bench
	scenario scenario
	script   transcript
	names    *names
	held     map[string]<-chan reply
	replies  map[string]reply
	asked    map[string]bool
	findings []finding
}

func (sc scenario) run(t *testing.T) []finding {
	script := loadTranscript(t, sc.name)
	cfg := Config{LongPoll: 2 * time.Second}
	if n := script.Env["ELECTRIC_SHAPE_CHUNK_BYTES_THRESHOLD"]; n != "" {
		size, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		cfg.ChunkBytes = size
	}
	p := &replay{
		bench: newBench(t, cfg), scenario: sc, script: script, names: newNames(),
		held: map[string]<-chan reply{}, replies: map[string]reply{}, asked: map[string]bool{},
	}
	for i, s := range script.Steps {
		if sc.skip != nil && sc.skip(i, s) {
			continue
		}
		switch s.Kind {
		case "sql":
			if !slices.Contains(slices.Collect(maps.Values(sc.later)), i) {
				p.sql(i, s)
			}
		case "http":
			p.ask(s)
		case "await":
			p.await(s.IDs)
		}
	}
	if left := slices.Collect(maps.Keys(p.held)); len(left) > 0 {
		p.await(left)
	}
	return p.findings
}

func (p *replay) sql(i int, s step) {
	p.t.Helper()
	for n, sql := range statements(s.SQL) {
		for _, st := range p.scenario.stages {
			if st.step == i && st.after == n {
				p.caughtUp()
				p.await(st.await)
				if st.ask != "" {
					p.ask(p.exchange(st.ask))
				}
			}
		}
		p.write(sql)
	}
	p.caughtUp()
}

func (p *replay) exchange(id string) step {
	for _, s := range p.script.Steps {
		if s.ID == id {
			return s
		}
	}
	p.t.Fatalf("no exchange %q", id)
	return step{}
}

func (p *replay) ask(s step) {
	p.t.Helper()
	if p.asked[s.ID] {
		return
	}
	p.asked[s.ID] = true
	if i, ok := p.scenario.later[s.ID]; ok {
		p.sql(i, p.script.Steps[i])
	}
	if s.ID == p.scenario.forget {
		p.names.handle = newRenaming()
	}
	q := s.Request.query(p.t)
	for _, key := range []string{"handle", "offset"} {
		if q.Has(key) {
			q.Set(key, p.names.ours(key, q.Get(key)))
		}
	}
	for key, from := range s.Uses {
		id, name, _ := strings.Cut(from, ".")
		earlier, ok := p.replies[id]
		if !ok {
			p.t.Fatalf("%s uses %s, which was not replayed", s.ID, from)
		}
		q.Set(key, earlier.header.Get(name))
	}
	path, _, _ := strings.Cut(s.Request.Target, "?")
	r, err := http.NewRequestWithContext(p.t.Context(), s.Request.Method, "http://shapes"+path+"?"+q.Encode(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range s.Request.Headers {
		r.Header.Add(h[0], p.names.inHeader(h[1]))
	}
	if s.Held {
		p.held[s.ID] = p.holdRequest(s.ID, r)
		return
	}
	p.finish(s, p.plain(r))
}

func (p *replay) plain(r *http.Request) reply {
	p.t.Helper()
	got := p.do(r)
	if got.err != nil {
		p.t.Fatal(got.err)
	}
	return got
}

func (p *replay) await(ids []string) {
	p.t.Helper()
	for _, id := range ids {
		c, ok := p.held[id]
		if !ok {
			continue // not replayed, or awaited before
		}
		delete(p.held, id)
		p.finish(p.exchange(id), p.answer(c))
	}
}

func (p *replay) finish(s step, got reply) {
	p.replies[s.ID] = got
	c := comparison{names: p.names, exchange: s.ID}
	p.findings = append(p.findings, c.response(s.Response, got)...)
}
