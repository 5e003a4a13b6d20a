package embedded

import (
	"encoding/json"
	"fmt"
	"net/textproto"
	"sort"
	"strconv"
	"strings"
)

// comparison compares one answer with the recorded one, up to renaming.
type comparison struct {
	names    *names
	exchange string
	out      []finding
}

func (c *comparison) report(what, recorded, ours string) {
	c.out = append(c.out, finding{c.exchange, what, recorded, ours})
}

func (c *comparison) response(want recordedResponse, got reply) []finding {
	if want.Status != got.status {
		c.report("status", strconv.Itoa(want.Status)+" "+want.Body, strconv.Itoa(got.status)+" "+got.body)
		return c.out
	}
	seen := map[string]bool{}
	for _, h := range want.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h[0])
		seen[name] = true
		ours, ok := got.header[name]
		switch {
		case !ok:
			c.report("header "+h[0], h[1], "(none)")
		case !c.header(h[0], h[1], ours[0]):
			c.report("header "+h[0], h[1], ours[0])
		}
	}
	for name, v := range got.header {
		if !seen[name] {
			c.report("header "+strings.ToLower(name), "(none)", v[0])
		}
	}
	c.body(want.Body, got.body)
	return c.out
}

func (c *comparison) header(name, want, got string) bool {
	switch name {
	case "electric-handle":
		return c.names.handle.same(want, got)
	case "electric-offset":
		return c.names.offset(want, got)
	case "etag":
		return c.names.etag(want, got)
	case "electric-cursor":
		n, err := strconv.ParseInt(got, 10, 64)
		return err == nil && n > 0
	case "electric-schema":
		return normalJSON(want) == normalJSON(got)
	case "content-length":
		return true // the body is compared
	}
	return want == got
}

func normalJSON(s string) string {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return "not JSON: " + s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (c *comparison) body(want, got string) {
	var a, b []map[string]any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		if normalJSON(want) != normalJSON(got) {
			c.report("body", want, got)
		}
		return
	}
	sortSnapshot(a)
	sortSnapshot(b)
	if len(a) != len(b) {
		c.report("body", fmt.Sprintf("%d messages: %s", len(a), want), fmt.Sprintf("%d messages: %s", len(b), got))
		return
	}
	for i := range a {
		if !c.message(a[i], b[i]) {
			c.report(fmt.Sprintf("message %d", i), marshal(a[i]), marshal(b[i]))
		}
	}
}

// sortSnapshot orders the rows of a snapshot, which come as Postgres planned.
func sortSnapshot(messages []map[string]any) {
	n := 0
	for n < len(messages) && messages[n]["key"] != nil && headers(messages[n])["lsn"] == nil {
		n++
	}
	rows := messages[:n]
	sort.Slice(rows, func(i, j int) bool { return rows[i]["key"].(string) < rows[j]["key"].(string) })
}

func headers(m map[string]any) map[string]any {
	h, _ := m["headers"].(map[string]any)
	return h
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// message compares two messages: what differs from run to run up to renaming,
// the rest exactly.
func (c *comparison) message(want, got map[string]any) bool {
	a, b := headers(want), headers(got)
	ok := true
	renamed := func(key string, same func(string, string) bool) {
		x, there := a[key].(string)
		y, here := b[key].(string)
		if there != here || there && !same(x, y) {
			ok = false
		}
	}
	renamed("lsn", c.names.lsn.same)
	renamed("global_last_seen_lsn", c.names.lsn.same)
	// Other tests run on the same cluster and have transactions of their own, so
	// that of a snapshot's ids only the form is compared.
	decimal := func(_, s string) bool { _, err := strconv.ParseUint(s, 10, 64); return err == nil }
	renamed("xmin", decimal)
	renamed("xmax", decimal)
	if _, there := a["xip_list"]; there {
		list, isList := b["xip_list"].([]any)
		for _, x := range list {
			id, isText := x.(string)
			ok = ok && isText && decimal("", id)
		}
		ok = ok && isList
	}
	if x, there := a["txids"].([]any); there {
		y, _ := b["txids"].([]any)
		ok = ok && len(x) == 1 && len(y) == 1 && c.names.xid.same(fmt.Sprint(x[0]), fmt.Sprint(y[0]))
	}
	return ok && marshal(stable(want)) == marshal(stable(got))
}

// stable is a message without what differs from run to run.
func stable(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	h := map[string]any{}
	for k, v := range headers(m) {
		switch k {
		case "lsn", "global_last_seen_lsn", "xmin", "xmax", "xip_list", "txids":
			h[k] = "renamed"
		default:
			h[k] = v
		}
	}
	out["headers"] = h
	return out
}
