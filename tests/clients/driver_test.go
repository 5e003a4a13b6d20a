package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// driver is a client that is running.
type driver struct {
	*child
	client client

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every event
	feeds   map[string]*view
	fault   string // the driver itself went wrong, or something was printed
}

// drive starts a client on feeds of a gateway. Its environment is clean, and its
// clock in UTC: SDKs before 3.3.17 read the times of rows, which have no zone, as
// local ones.
func drive(t testing.TB, c client, url string, feeds []subscription) *driver {
	t.Helper()
	spec, err := json.Marshal(map[string]any{"client": c.module, "url": url, "feeds": feeds, "sse": c.sse, "shape": c.shape})
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{client: c, changed: make(chan struct{}), feeds: make(map[string]*view)}
	for _, f := range feeds {
		d.feeds[f.ID] = newView(c)
	}
	cmd := exec.Command("node", c.script, string(spec))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC"}
	d.child = startChild(t, c.String(), cmd, d.read, d.complain)
	return d
}

func (d *driver) read(line []byte) {
	if slices.Contains(d.client.prints, string(line)) {
		return
	}
	var e event
	err := json.Unmarshal(line, &e)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch v := d.feeds[e.Feed]; {
	case err != nil || v == nil:
		d.fault = fmt.Sprintf("it printed %q", line)
	default:
		v.apply(e, d.client.stops)
	}
	d.announce()
}

// complain takes what the client prints by itself, a warning above all. None is
// wanted.
func (d *driver) complain(line []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == "" {
		d.fault = fmt.Sprintf("it printed to the console: %s", line)
	}
	d.announce()
}

func (d *driver) announce() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// tell gives the driver a command.
func (d *driver) tell(command map[string]any) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	_, err = d.stdin.Write(append(line, '\n'))
	return err
}

// await waits until ok. If that takes too long, or the client ends or prints
// something, its error says what there is instead. Both functions run under the
// lock.
func (d *driver) await(what string, ok func() bool, instead func() string) error {
	late := time.After(patience)
	for {
		d.mu.Lock()
		reached, changed, fault := ok(), d.changed, d.fault
		d.mu.Unlock()
		switch {
		case fault != "":
			return fmt.Errorf("waiting for %s: %s", what, fault)
		case reached:
			return nil
		}
		var why string
		select {
		case <-changed:
			continue
		case <-d.done:
			why = "before the client ended"
		case <-late:
			why = "in " + patience.String()
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if ok() {
			return nil
		}
		return fmt.Errorf("%s did not come %s: %s", what, why, instead())
	}
}

// see waits until a feed is seen so.
func (d *driver) see(feed, what string, ok func(*view) bool) error {
	v := d.feeds[feed]
	return d.await(what+" of "+feed, func() bool { return ok(v) }, v.String)
}

// look is see that does not wait.
func (d *driver) look(feed, what string, ok func(*view) bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.feeds[feed]; !ok(v) {
		return fmt.Errorf("want %s of %s, have: %v", what, feed, v)
	}
	return nil
}

// failure is what is wrong with the driver itself.
func (d *driver) failure() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault
}
