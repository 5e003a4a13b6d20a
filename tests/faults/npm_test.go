package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// process is a Node process with an npm client that follows several feeds.
type process struct {
	name  string
	sdk   bool   // it gives runs, and says nothing of one that is deleted
	by    string // the column by whose value it names rows; "": by their keys
	feeds []*feed

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every line
	held    map[string]map[string]map[string]any
	starts  map[string]int
	wrong   []string
	refused int
	ended   bool
}

// npmClients are the 33 subscriptions, by the process that holds them.
func (s *scene) npmClients() []*process {
	legacy, v2 := s.byRun[runid.Legacy], s.byRun[runid.V2]
	return []*process{
		s.node("@trigger.dev/sdk 4.8.3", "sdk.mjs", "trigger-sdk-4.8", false, s.byTag[0], s.byPair[0], s.byBatch[0], legacy[0], v2[0]),
		s.node("@trigger.dev/sdk 3.3.17", "sdk.mjs", "trigger-sdk-3.3.17/v3", false, s.byTag[1], s.byBatch[1], legacy[1], v2[1]),
		s.node("@electric-sql/client 0.6.3", "shapestream.mjs", "electric-client-0.6", false, s.byTag[2], s.byBatch[1], legacy[2]),
		s.node("@electric-sql/client 1.0.14", "shapestream.mjs", "electric-client-1.0", false, s.byTag[3], s.byPair[1], s.byBatch[0], legacy[3]),
		s.node("@electric-sql/client 1.0.14 sse", "shapestream.mjs", "electric-client-1.0", true, s.byTag[4], s.byTag[3], s.byBatch[1], v2[2]),
		s.node("@electric-sql/client 1.5.28", "shapestream.mjs", "electric-client-1.5", false, s.byTag[5], s.byPair[2], s.byBatch[1], legacy[0], v2[3]),
		s.node("@electric-sql/client 1.5.28 sse", "shapestream.mjs", "electric-client-1.5", true, s.byTag[0], s.byPair[0], s.byBatch[0], legacy[1], v2[0]),
		s.node("@tanstack/electric-db-collection 0.4.10", "tanstack.mjs", "", false, s.byTag[1], s.byBatch[0], v2[1]),
	}
}

// node starts one. It ends with the test.
func (s *scene) node(name, script, module string, sse bool, feeds ...*feed) *process {
	s.t.Helper()
	p := &process{
		name: name, sdk: script == "sdk.mjs", feeds: feeds, changed: make(chan struct{}),
		held: make(map[string]map[string]map[string]any), starts: make(map[string]int),
	}
	switch script {
	case "sdk.mjs":
		p.by = "friendlyId"
	case "tanstack.mjs":
		p.by = "id"
	}
	var list []map[string]string
	for _, f := range feeds {
		list = append(list, map[string]string{"kind": f.kind, "id": f.name, "token": s.demo.APIKey})
		p.held[f.name] = make(map[string]map[string]any)
	}
	spec, err := json.Marshal(map[string]any{"client": module, "url": s.url, "feeds": list, "sse": sse})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(s.t.Context()))
	cmd := exec.CommandContext(ctx, "node", filepath.Join(clients, script), string(spec))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC"}
	cmd.SysProcAttr = dieWithUs()
	stdin, err1 := cmd.StdinPipe() // drivers end with it
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	for _, err := range []error{err1, err2, err3, cmd.Start()} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() { eachLine(stdout, p.read) })
	reading.Go(func() {
		eachLine(stderr, func(line []byte) {
			p.update(func() { p.wrong = append(p.wrong, "it prints to the console: "+string(line)) })
		})
	})
	s.t.Cleanup(func() {
		p.update(func() { p.ended = true })
		end()
		reading.Wait()
		_ = cmd.Wait() // killed
		_ = stdin.Close()
	})
	return p
}

func eachLine(from io.Reader, do func([]byte)) {
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			do(line)
		}
		if err != nil {
			return
		}
	}
}

// read takes in what a driver of tests/clients says.
func (p *process) read(line []byte) {
	var e struct {
		Event, Feed, Offset, Message, Code string
		Status                             int
		Rows                               map[string]map[string]any
		Run                                map[string]any
	}
	err := json.Unmarshal(line, &e)
	p.update(func() {
		held := p.held[e.Feed]
		switch {
		case err != nil || held == nil:
			p.wrong = append(p.wrong, fmt.Sprintf("it prints %q", line))
		case e.Event == "response" && e.Status == 200 && e.Offset == "-1":
			if p.starts[e.Feed]++; p.starts[e.Feed] > 1 {
				p.wrong = append(p.wrong, "it starts over: "+e.Feed)
			}
		case e.Event == "response" && e.Status == 503:
			p.refused++
		case e.Event == "response" && e.Status >= 400, e.Event == "no-response", e.Event == "must-refetch", e.Event == "error", e.Event == "end":
			p.wrong = append(p.wrong, strings.TrimSpace(string(line)))
		case e.Event == "rows":
			maps.Copy(held, e.Rows)
			maps.DeleteFunc(held, func(_ string, r map[string]any) bool { return r == nil })
		case e.Event == "run":
			id, _ := e.Run["id"].(string)
			held[id] = e.Run
		}
	})
}

func (p *process) update(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until ok, which is asked under the lock, or until ctx ends or something is wrong.
func (p *process) await(ctx context.Context, ok func() bool) error {
	for {
		p.mu.Lock()
		reached, wrong, changed := ok(), slices.Clone(p.wrong), p.changed
		p.mu.Unlock()
		switch {
		case len(wrong) > 0:
			return fmt.Errorf("%v", wrong)
		case reached:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// key is what the client names a row by.
func (p *process) key(key string, r row) string {
	if p.by != "" {
		key, _ = r[p.by].(string)
	}
	return key
}

// differs says how what is held of a feed differs from the truth, or "". It is asked under
// the lock.
func (p *process) differs(f *feed, truth map[string]row) string {
	held := p.held[f.name]
	if !p.sdk && len(held) != len(truth) {
		return fmt.Sprintf("%s: %d rows, not %d", f.name, len(held), len(truth))
	}
	for key, want := range truth {
		key = p.key(key, want)
		got := held[key]
		if n := markOf(got); got == nil || n != want.number() {
			return fmt.Sprintf("%s: %s has number %d, not %d", f.name, key, n, want.number())
		}
		if !p.sdk && (got["id"] != want["id"] || got["friendlyId"] != want["friendlyId"] || got["number"] != float64(want.number())) {
			return fmt.Sprintf("%s: %s is %v, not %v", f.name, key, got, want)
		}
	}
	return ""
}

// markOf is the number in a run's metadata: a text in a row, an object in the SDK's run.
func markOf(held map[string]any) int {
	metadata := held["metadata"]
	if text, ok := metadata.(string); ok {
		_ = json.Unmarshal([]byte(text), &metadata) // stays a text, and then is none
	}
	fields, _ := metadata.(map[string]any)
	n, _ := fields["mark"].(float64)
	return int(n)
}
