package upstream

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first = `{"key":"1","value":{"a":"<&>"},"headers":{"operation":"insert"}}`
	other = `{"key":"2","value":{},"headers":{"operation":"update"}}`
	end   = `{"headers":{"control":"up-to-date"}}`
)

// behind is a front, and how to ask it.
func behindFront(t *testing.T) (*Front, func(query string) (status int, body string, err error)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Electric-Handle", "1-1")
		w.Header().Set("Electric-Up-To-Date", "")
		_, _ = io.WriteString(w, "["+first+","+other+","+end+"]")
	}))
	t.Cleanup(server.Close)
	front := New(t, server.Client().Transport, server.URL)
	client := &http.Client{Transport: front.Transport()}
	return front, func(query string) (int, string, error) {
		res, err := client.Get("http://electric/v1/shape?" + query)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}
}

func TestAFrontPassesOnAndMisbehaves(t *testing.T) {
	front, ask := behindFront(t)
	whole := "[" + first + "," + other + "," + end + "]"
	released := make(chan struct{})
	for _, c := range []struct {
		name, query string
		edit        func(*Answer)
		body        string
		broken      bool
	}{
		{"nothing", "", nil, whole, false},
		{"skips", "live=true", func(a *Answer) { SkipTheLast(a) }, "[" + first + "," + end + "]", false},
		{"skips no read", "", func(a *Answer) { SkipTheLast(a) }, whole, false},
		{"in parts", "live=true", func(a *Answer) { NotUpToDate(a) }, "[" + first + "," + other + "]", false},
		{"breaks off", "", func(a *Answer) { a.Break = 9 }, whole[:9], true},
		{"stalls", "", func(a *Answer) { a.Break, a.Until = 9, released; close(released) }, whole, false},
	} {
		front.Edit(c.edit)
		status, body, err := ask(c.query)
		if status != 200 || body != c.body || (err != nil) != c.broken {
			t.Errorf("%s: %d %s, %v", c.name, status, body, err)
		}
	}
	front.Edit(nil)
	front.Instead(func(w http.ResponseWriter, _ *http.Request) bool {
		Wire(w, []byte("HTTP/1.1 418 x\r\n\r\n"), false)
		return true
	})
	if status, _, _ := ask(""); status != 418 {
		t.Errorf("instead: %d", status)
	}
	front.Instead(nil)
	front.Stop()
	if _, _, err := ask(""); err == nil {
		t.Error("it answers when it is stopped")
	}
	front.Start()
	if status, body, err := ask(""); status != 200 || body != whole {
		t.Errorf("started again: %d %s, %v", status, body, err)
	}
	if asked := front.Asked(); asked != 8 {
		t.Errorf("asked %d times", asked)
	}
}

func TestBehindIsTooEarlyUntilItCatchesUp(t *testing.T) {
	front, ask := behindFront(t)
	var behind Behind
	front.Instead(behind.Answer)
	early := make(chan error, 1)
	go func() {
		_, body, err := ask("offset=0_0")
		if err == nil && body != `[{"headers":{"control":"up-to-date","global_last_seen_lsn":"0"}}]` {
			err = errors.New(body)
		}
		early <- err
	}()
	behind.Await(t, 1)
	if err := <-early; err != nil {
		t.Error(err)
	}
	behind.CatchUp()
	if _, body, _ := ask("offset=0_0"); len(body) < 100 {
		t.Errorf("then %s", body)
	}
}
