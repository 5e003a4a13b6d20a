package embedded

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestHeldRequestEndsWithItsContext: nothing is left of a request whose client
// has gone (goleak looks at the end of the program), and Close does not wait.
func TestHeldRequestEndsWithItsContext(t *testing.T) {
	b := newBench(t, Config{LongPoll: time.Hour})
	snap := b.get(tagFeed("env", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	r := b.request(ctx, with(tagFeed("env", "x"), "handle", snap.handle(), "offset", "0_inf", "live", "true"))
	held := b.holdRequest("held", r)
	cancel()
	if got := <-held; !errors.Is(got.err, context.Canceled) {
		t.Errorf("%+v", got)
	}
	b.server.work.Wait() // its handler has returned, too
}

// TestBodyStreams: a response is there before its body is, and a reader that
// closes it half way ends the handler.
func TestBodyStreams(t *testing.T) {
	b := newBench(t, Config{})
	big := strings.Repeat("p", 1<<20)
	b.exec(addRun, "a", "env", []string{"x"})
	b.exec(`UPDATE "TaskRun" SET payload = $1`, big)
	resp, err := b.client.Do(b.request(t.Context(), with(tagFeed("env", "x"), "columns", "id,payload")))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 1<<20 {
		t.Errorf("%d, %d bytes announced", resp.StatusCode, resp.ContentLength)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body is read")
	}
	b.server.work.Wait()
}

// TestOverASocket: the server is an ordinary handler.
func TestOverASocket(t *testing.T) {
	b := newBench(t, Config{})
	b.exec(addRun, "a", "env", []string{"x"})
	web := httptest.NewServer(b.server)
	defer web.Close()
	resp, err := web.Client().Get(web.URL + "/v1/shape?" + tagFeed("env", "x").Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := b.get(tagFeed("env", "x")).body; string(body) != want || resp.ContentLength != int64(len(want)) {
		t.Errorf("got %d bytes %s, want %s", resp.ContentLength, body, want)
	}
	resp, err = web.Client().Do(&http.Request{Method: http.MethodOptions, URL: resp.Request.URL})
	if err != nil || resp.StatusCode != http.StatusNoContent || resp.Header.Get("access-control-max-age") != "86400" {
		t.Errorf("OPTIONS: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}
