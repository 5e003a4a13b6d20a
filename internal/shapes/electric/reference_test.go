package electric

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// meant is what an answer comes to, in words that can be compared.
type meant struct {
	kind       string // "rows", "rotated", "refused", "unavailable", "out of bounds"
	rows       string
	count      int
	next       string // "<handle> <offset>"
	schema     string
	upToDate   bool
	lsn        string
	ended      bool
	xmin       string
	handle     string // of the shape that took the place
	status     int    // that was refused
	retryAfter time.Duration
}

// reference reads a recorded answer with a JSON parser and the rules of doc.go,
// and nothing of the code under test.
func reference(t *testing.T, x exchange, q question) meant {
	t.Helper()
	r := x.Response
	switch r.Status {
	case 0:
		return meant{kind: "unavailable"}
	case http.StatusOK:
		if handle := r.header("electric-handle"); q.pos.Handle != "" && handle != q.pos.Handle {
			return meant{kind: "rotated", handle: handle}
		}
		return referenceRows(t, x, q)
	case http.StatusConflict:
		return meant{kind: "rotated", handle: r.header("electric-handle")}
	case http.StatusBadRequest:
		if strings.Contains(r.Body, `"errors":{"offset":["out of bounds for this shape"]}`) {
			return meant{kind: "out of bounds"}
		}
		return meant{kind: "refused", status: r.Status}
	case http.StatusNotFound, http.StatusRequestURITooLong:
		return meant{kind: "refused", status: r.Status}
	default:
		seconds, _ := strconv.Atoi(r.header("retry-after"))
		return meant{kind: "unavailable", retryAfter: time.Duration(seconds) * time.Second}
	}
}

func referenceRows(t *testing.T, x exchange, q question) meant {
	t.Helper()
	r := x.Response
	m := meant{kind: "rows", next: r.header("electric-handle") + " " + r.header("electric-offset"), lsn: "0", xmin: "0"}
	if !q.live {
		m.schema = r.header("electric-schema")
	}
	var messages []json.RawMessage
	if err := json.Unmarshal([]byte(r.Body), &messages); err != nil {
		t.Fatalf("%s: %v", x.ID, err)
	}
	var rows []string
	for _, raw := range messages {
		var message struct{ Headers json.RawMessage }
		var headers struct {
			Control, Xmin string
			LSN           string `json:"global_last_seen_lsn"`
		}
		if json.Unmarshal(raw, &message) != nil || json.Unmarshal(message.Headers, &headers) != nil {
			t.Fatalf("%s: not a message: %s", x.ID, raw)
		}
		m.upToDate = headers.Control == "up-to-date"
		switch headers.Control {
		case "":
			rows = append(rows, strings.Replace(string(raw), string(message.Headers), withoutLast(t, message.Headers), 1))
		case "up-to-date":
			m.lsn = headers.LSN
		case "snapshot-end":
			m.ended, m.xmin = true, headers.Xmin
		default:
			t.Fatalf("%s: the control message %s in the body of a 200", x.ID, headers.Control)
		}
	}
	m.rows, m.count = strings.Join(rows, ","), len(rows)
	return m
}

// withoutLast removes the header as Electric writes it, and fails if it stands
// there in another way.
func withoutLast(t *testing.T, headers []byte) string {
	t.Helper()
	text := string(headers)
	for _, as := range []string{`"last":true,`, `,"last":true`} {
		if strings.Contains(text, as) {
			text = strings.Replace(text, as, "", 1)
			break
		}
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil || members["last"] != nil {
		t.Fatalf("last was not removed from %s", headers)
	}
	return text
}

// word is what counts it in a summary.
func (m meant) word() string {
	switch m.kind {
	case "rows":
		if m.count == 0 {
			return "none"
		}
		return "rows"
	case "rotated":
		if m.handle == "" {
			return "rotated"
		}
		return "renamed"
	default:
		return m.kind
	}
}

// summary counts what was met, in this order.
func summary(counts map[string]int) string {
	var b strings.Builder
	for _, kind := range []string{"rows", "none", "renamed", "rotated", "refused", "out of bounds", "unavailable", "healthy", "unhealthy", "left"} {
		if n := counts[kind]; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, kind)
		}
	}
	return strings.TrimPrefix(b.String(), ", ")
}
