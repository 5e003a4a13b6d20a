package oracle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/tests/npm"
	"github.com/realtime-gw/realtime-gw/tests/relay"
)

// clientsFolder has the clients of npm, and their drivers.
const clientsFolder = "../clients"

// streaming are the clients that can stream, of each generation the last.
var streaming = []string{"electric-client-1.0", "electric-client-1.5"}

// TestClientsThatStream plays worlds in which each feed is followed by real clients
// too, over server-sent events: worlds that are left in peace, whose gateways end in
// order and by kill -9, and whose tables are truncated. ORACLE_STREAMS is how many,
// from 3 on.
func TestClientsThatStream(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if err := npm.Install(ctx, clientsFolder); err != nil {
		t.Fatal(err)
	}
	binary := buildProgram(t)
	seeds, _ := strconv.ParseUint(os.Getenv("ORACLE_STREAMS"), 10, 64)
	for seed := uint64(1); seed <= max(3, seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, broken := settingsOf(seed), faults{}
			s.npm, s.patience, s.hold, s.longPoll = streaming, outagePatience, defaultHold, defaultHold
			// Not both: who reads a snapshot while the gateway is killed is lost.
			s.truncates, s.takeovers = seed%3 == 2, seed%3 == 0
			if s.takeovers {
				broken.binary = binary
			}
			if err := play(t, s, broken); err != nil {
				t.Errorf("%s\n%v", s, err)
			}
		})
	}
}

// asked is what a client asks its gateway.
type asked struct {
	Offset string
	Live   bool
	At     int64 // milliseconds
	Status int   // of a response
}

// busiest is how many live requests a client may make within a second at one place of a
// feed: a stream lasts longer, and a rotation ends it and makes one more. While gateways
// are killed it has to ask a few times more. (That it does not go round by starting over is
// seen by the rotations that it hears of.)
const busiest = 3

// busiestWhileKilled is the same where gateways are killed: each of its tries may meet one
// that is gone, and it pauses longer and longer between them.
const busiestWhileKilled = 8

// runClient has a client of npm follow the reader's feed, and takes in what it gives
// to its application. It never starts over but for a rotation, and never ends.
func (r *reader) runClient(ctx context.Context, t testing.TB, module string) {
	front := relay.New(t, func() string {
		return strings.TrimPrefix(r.fleet.pick(r.rand.IntN(1<<20)).url, "http://")
	})
	params := map[string]string{}
	maps.Copy(params, r.feed.query)
	spec, err := json.Marshal(map[string]any{"client": module, "url": front.URL() + r.feed.path, "params": params, "token": r.feed.key})
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.CommandContext(ctx, "node", "messages.mjs", string(spec))
	cmd.Dir = clientsFolder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	c := &clientLines{reader: r}
	var v *violation
	lines := bufio.NewReader(out)
	for v == nil {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		v = c.take(line)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if ctx.Err() != nil {
		return
	}
	if v == nil {
		v = found(protocol, "the client ended")
	}
	v.reader = r.name
	v.text += "\n" + strings.Join(r.tracks(), "\n") + "\n" + complaints.String()
	r.board.fail(v)
}

// clientLines takes in what a client prints.
type clientLines struct {
	reader *reader
	place  string  // of its last live request
	recent []int64 // when those there were
}

func (c *clientLines) take(line []byte) *violation {
	var said struct {
		Request, Response *asked
		Messages          []message
		Error             string
	}
	if err := json.Unmarshal(line, &said); err != nil {
		return found(broken, "a client printed %q: %v", line, err)
	}
	r := c.reader
	switch {
	case said.Error != "":
		return found(protocol, "the client was given an error: %s", said.Error)
	case said.Request != nil:
		r.note("asks at %s, live %v", said.Request.Offset, said.Request.Live)
		r.board.count("asked by npm", 1)
		if !said.Request.Live {
			break
		}
		if said.Request.Offset != c.place { // it gets on
			c.place, c.recent = said.Request.Offset, nil
		}
		c.recent = append(c.recent, said.Request.At)
		most := busiest
		if r.settings.takeovers {
			most = busiestWhileKilled
		}
		if n := len(c.recent); n > most && c.recent[n-1]-c.recent[n-1-most] < 1000 {
			return found(stuck, "%d live requests at %s within %d ms", most+1, c.place, c.recent[n-1]-c.recent[n-1-most])
		}
	case said.Response != nil:
		r.note("%s -> %d", said.Response.Offset, said.Response.Status)
		s := said.Response.Status
		if s == 503 && r.settings.outages { // its hold ended while a side failed; it comes again
			r.board.count("npm 503", 1)
			return nil
		}
		if s != 200 && s != 409 {
			return found(protocol, "status %d", s)
		}
	case len(said.Messages) > 0:
		return c.messages(said.Messages)
	}
	return nil
}

// messages takes in what one callback brought.
func (c *clientLines) messages(all []message) *violation {
	r := c.reader
	if all[0].Headers.Control == "must-refetch" {
		most := 0
		r.board.look(func(b *board) {
			for _, table := range r.feed.tables {
				most += b.rotated[table.Name()]
			}
		})
		if r.refetches++; r.refetches > most {
			return found(refetched, "%d times, with %d truncations of its tables", r.refetches, most)
		}
		r.board.count("npm must-refetch", 1)
		r.begin(visit{start, newHeld(r.feed, r.history)})
		return nil
	}
	for i := range all {
		r.board.count("npm "+all[i].Headers.Operation+all[i].Headers.Control, 1)
		if seen := all[i].Headers.LastSeen; seen != nil && len(*seen) > len("18446744073709551615") {
			all[i].Headers.LastSeen = nil // a place, and no log position
		}
	}
	defer r.board.update(func(b *board) { b.answers++ })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held.take(all)
}
