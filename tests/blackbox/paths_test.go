package blackbox

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends a request line as it stands, which no client library would.
func (w *world) raw(line, credential string) reply {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	text := line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	if credential != "" {
		text += "Authorization: Bearer " + credential + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	return reply{res.StatusCode, res.Header, string(body)}
}

// However a path is spelt, it is a 404 or the same feed behind the same
// authentication.
func TestOddPaths(t *testing.T) {
	w := newWorld(t, settings{})
	id := w.ours.v2.FriendlyID
	for _, path := range []string{
		"//realtime/v1/runs", "/realtime//v1/runs", "/realtime/v1//runs", "/realtime/v1/runs/", "/realtime/v1/runs//", "/realtime/v1/./runs", "/./realtime/v1/runs",
		"/x/../realtime/v1/runs", "/realtime/v1/runs/..", "/realtime/v1/runs/../runs", "/realtime/v1/%2e%2e/v1/runs", "/realtime/v1/runs/%2e%2e",
		"/realtime%2fv1%2fruns", "/realtime/v1%2fruns", "/realtime/v1/run%73", "/%72ealtime/v1/runs", "/realtime/v1/runs%3foffset=-1", "/realtime/v1/runs%00", "/realtime/v1/runs%20",
		"/realtime/v1/RUNS", "/REALTIME/v1/runs", "/Realtime/V1/Runs", "/realtime/v1/runs;x=1", "/realtime/v1/runs.json", "/realtime/v1/runs/" + id + "/", "/realtime/v1/runs/" + id + "/x",
		"/realtime/v1/runs//" + id, "/realtime/v1/runs/%2f" + id, "/realtime/v1/runs/" + strings.ReplaceAll(id, "run_", "%72un_"), "/realtime/v1/runs/" + id + "%2f", "/realtime/v1/runs/x%2f..%2f" + id,
		"/realtime/v1/batches/", "/realtime/v1/batches", "/realtime/v1/batch/" + w.ours.batch.FriendlyID, "/realtime/v1/batches/" + id, "/realtime/v1/", "/realtime/v1", "/realtime/", "/realtime/v2/runs", "/", "/v1/shape",
		"http://x/realtime/v1/runs", "http://other.example/realtime/v1/runs", "https://x//realtime/v1/runs", "/realtime/v1/runs/" + w.theirs.v2.FriendlyID, "/healthz/../realtime/v1/runs", "/healthz%2f..%2frealtime/v1/runs",
		`/realtime/v1/runs\`, `/realtime\v1\runs`, "/realtime/v1/nothing", "/realtime/v1/ws",
	} {
		line := "GET " + path + "?offset=-1"
		open := w.raw(line, "")
		if strings.Contains(open.body, "CANARY") || open.header.Get("Electric-Handle") != "" || open.status != 404 && open.status != 401 && open.status != 400 {
			t.Errorf("%s without a credential: %d %.200s", line, open.status, open.body)
		}
		ours := w.raw(line, w.ours.key)
		switch {
		case strings.Contains(ours.body, w.theirs.canary):
			t.Errorf("%s: another tenant's rows", line)
		case ours.status == 200 && open.status != 401:
			t.Errorf("%s: %d with a key, %d without", line, ours.status, open.status)
		case ours.status != 200 && ours.status != 404 && ours.status != 400:
			t.Errorf("%s: %d %.200s", line, ours.status, ours.body)
		}
		if fewer := w.raw(line, w.ours.token("read:nothing")); fewer.status == 200 {
			t.Errorf("%s: %d without a scope", line, fewer.status)
		}
		if open.status == 404 && ours.status != 404 {
			t.Errorf("%s: %d with a key, and 404 without", line, ours.status)
		}
	}
	// the plain spellings are there
	for _, path := range w.ours.feeds() {
		if got := w.raw("GET "+with(path, "offset=-1"), w.ours.key); got.status != 200 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}
