package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"
)

// nothing is the tab that a browser starts with. It is empty.
const nothing = "nothing"

// browser is a Chromium that is running, and the driver that leads it.
type browser struct {
	t        testing.TB
	bell     *bell
	commands io.Writer // of the driver
	spec     spec
	page     string // its URL

	// under the bell
	done   int // commands
	tabs   map[string]*tab
	outage bool // the gateway is down, or clients have not all found it again
	fault  string
}

// newBrowser starts one with an empty profile, for a page. Whatever it prints to a
// console and is not accounted for fails the test.
func newBrowser(t testing.TB, bell *bell, spec spec) *browser {
	t.Helper()
	b := &browser{t: t, bell: bell, spec: spec, page: servePage(t, spec), tabs: make(map[string]*tab)}
	profile := t.TempDir()
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--log-level=3", "--user-data-dir="+profile,
		// Nothing but this machine can be reached, or found.
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0", "about:blank")
	cmd.Env = append(cmd.Environ(), "HOME="+profile)
	socket := make(chan string, 1)
	chromium := start(t, "Chromium", cmd, nil, func(line []byte) {
		if url, ok := bytes.CutPrefix(line, []byte("DevTools listening on ")); ok {
			socket <- string(url)
		}
	})
	t.Cleanup(func() { chromium.end(t) })
	var driver *exec.Cmd
	select {
	case url := <-socket:
		driver = exec.Command("node", "chromium.mjs", url)
	case <-chromium.done:
		t.Fatal("Chromium did not start")
	case <-time.After(patience):
		t.Fatal("Chromium did not say where its DevTools are")
	}
	var err error
	if b.commands, err = driver.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	failed := func(line []byte) { bell.change(func() { b.fault += string(line) + "\n" }) }
	leader := start(t, "chromium.mjs", driver, func(line []byte) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			failed(line)
			return
		}
		bell.change(func() { b.apply(e) })
	}, failed)
	t.Cleanup(func() {
		b.check()
		leader.end(t)
	})
	b.await("a driver that is ready", func() bool { return b.done == 1 }, func() string { return "" })
	return b
}

// await waits as the bell does, and no longer if the driver itself went wrong.
func (b *browser) await(what string, ok func() bool, instead func() string) {
	b.t.Helper()
	b.bell.await(b.t, what, func() bool { return ok() || b.fault != "" }, instead)
	b.bell.Lock()
	defer b.bell.Unlock()
	if b.fault != "" {
		b.t.Fatalf("waiting for %s: chromium.mjs printed\n%s", what, b.fault)
	}
}

// do has the driver do something, and returns when it is done.
func (b *browser) do(what, tab string, arguments map[string]any) {
	b.t.Helper()
	command := map[string]any{"do": what, "tab": tab}
	for name, value := range arguments {
		command[name] = value
	}
	line, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	b.bell.Lock()
	before := b.done
	b.bell.Unlock()
	if _, err := b.commands.Write(append(line, '\n')); err != nil {
		b.t.Fatalf("%s %s: %v", what, tab, err)
	}
	b.await(fmt.Sprintf("the end of %s %s", what, tab), func() bool { return b.done > before }, func() string { return "it is at work" })
}

// open shows the page in a new tab, in the window that is there or in one of its own.
func (b *browser) open(name string, window bool) *tab {
	b.t.Helper()
	t := &tab{browser: b, name: name, asked: make(map[string]*request)}
	t.forget()
	b.bell.change(func() { b.tabs[name] = t })
	b.do("open", name, map[string]any{"url": b.page, "window": window})
	return t
}

// check fails the test for every console message that is not accounted for.
func (b *browser) check() {
	b.bell.Lock()
	defer b.bell.Unlock()
	for _, t := range b.tabs {
		for _, n := range t.notes {
			if !t.excuses(n) {
				b.t.Errorf("the console of tab %s: %+v", t.name, n)
			}
		}
	}
}
