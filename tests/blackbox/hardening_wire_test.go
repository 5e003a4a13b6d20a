package blackbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wire is a connection to the gateway on which a test writes what no client
// library would.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) wire() *wire {
	w.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &wire{w.t, conn, bufio.NewReader(conn)}
}

// send writes. A server that has closed the connection meanwhile is no fault of
// the test: what matters is what it answers.
func (c *wire) send(text string) { _, _ = io.WriteString(c.conn, text) }

// answer reads one answer. Its header has Transfer-Encoding and Connection, as
// far as they were there.
func (c *wire) answer(method string) (reply, error) {
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	if len(res.TransferEncoding) > 0 {
		res.Header["Transfer-Encoding"] = res.TransferEncoding
	}
	if res.Close {
		res.Header.Set("Connection", "close")
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

// must is an answer that has to come.
func (c *wire) must(method string) reply {
	c.t.Helper()
	got, err := c.answer(method)
	if err != nil {
		c.t.Fatalf("instead of an answer: %v", err)
	}
	return got
}

// rest reads answers until the server closes the connection, which it has to.
func (c *wire) rest() (all []reply) {
	c.t.Helper()
	for {
		got, err := c.answer(http.MethodGet)
		switch {
		case err == nil:
			all = append(all, got)
		case closed(err):
			return all
		default:
			c.t.Errorf("after %d answers the connection is not closed: %v", len(all), err)
			return all
		}
	}
}

// same says whether two answers have one status and the same messages. The rows of
// the two tables come in the order in which the tables answered.
func same(a, b reply) bool {
	sorted := func(body string) []string {
		var messages []json.RawMessage
		if json.Unmarshal([]byte(body), &messages) != nil {
			return []string{body}
		}
		var all []string
		for _, m := range messages {
			all = append(all, string(m))
		}
		slices.Sort(all)
		return all
	}
	return a.status == b.status && slices.Equal(sorted(a.body), sorted(b.body))
}

// closed says whether a read ended because the server closed the connection: in
// order, or rudely, because it had not read everything.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// raw asks with a request line as it stands.
func (w *world) raw(method, target, credential string, header ...string) reply {
	w.t.Helper()
	c := w.wire()
	defer c.conn.Close()
	text := method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	if credential != "" {
		text += "Authorization: Bearer " + credential + "\r\n"
	}
	for _, h := range header {
		text += h + "\r\n"
	}
	c.send(text + "\r\n")
	got, err := c.answer(method)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, target, err)
	}
	return got
}
