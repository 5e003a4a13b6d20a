package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// message is an element of a body.
type message struct {
	Key     string  `json:"key"`
	Value   values  `json:"value"`
	Headers headers `json:"headers"`
}

type headers struct {
	Operation  string   `json:"operation"`
	Control    string   `json:"control"`
	Relation   []string `json:"relation"`
	LSN        string   `json:"lsn"`
	OpPosition uint32   `json:"op_position"`
	TxIDs      []uint32 `json:"txids"`
	Last       *bool    `json:"last"`
	Xmin       string   `json:"xmin"`
	LastSeen   *string  `json:"global_last_seen_lsn"`
}

func isChange(m message) bool { return m.Headers.Control == "" }

// place is a position in the log of one table.
type place struct {
	lsn uint64
	op  uint32
}

// held is what a reader has between two times that it started over. Whatever it
// takes in is checked against the history.
type held struct {
	feed     *feed
	history  *history
	rows     map[string]values
	seen     map[string]int    // the highest number of each row, also of those that left
	left     map[string]int    // the number that a row had when it last left
	places   map[string]place  // by table
	ended    int               // snapshot-end messages
	last     map[string]uint32 // the transaction of the last change, by table
	tables   map[string]bool   // of which a row has come
	settled  map[string]bool   // and that it was told then that it is up to date
	upToDate bool
}

func newHeld(f *feed, h *history) *held {
	return &held{feed: f, history: h, rows: make(map[string]values), seen: make(map[string]int), left: make(map[string]int), places: make(map[string]place), last: make(map[string]uint32), tables: make(map[string]bool), settled: make(map[string]bool)}
}

// clone is for a reader that comes back to what it had.
func (h *held) clone() *held {
	c := *h
	c.rows, c.seen, c.left, c.places = make(map[string]values), maps.Clone(h.seen), maps.Clone(h.left), maps.Clone(h.places)
	c.last, c.tables, c.settled = maps.Clone(h.last), maps.Clone(h.tables), maps.Clone(h.settled)
	for key, row := range h.rows {
		c.rows[key] = maps.Clone(row)
	}
	return &c
}

func found(k kind, format string, args ...any) *violation {
	return &violation{kind: k, text: fmt.Sprintf(format, args...)}
}

// take takes in a body.
func (h *held) take(body []message) *violation {
	h.upToDate = false
	for i := range body {
		m := &body[i]
		if m.Headers.Control != "" {
			if v := h.control(m, i == len(body)-1); v != nil {
				return v
			}
			continue
		}
		if v := h.change(m); v != nil {
			v.text += fmt.Sprintf(" (message %d of %d: %s %s, lsn %s/%d)", i+1, len(body), m.Headers.Operation, m.Key, m.Headers.LSN, m.Headers.OpPosition)
			return v
		}
	}
	return nil
}

func (h *held) control(m *message, last bool) *violation {
	switch m.Headers.Control {
	case "up-to-date":
		if !last {
			return found(badControl, "an up-to-date that is not the last message")
		}
		for table, xid := range h.last {
			if s := h.history.cut(h.feed, table, xid, h.rows); s != nil {
				return found(tooEarly, "in the middle of transaction %d, which left %s at number %d, gone %v", xid, s.key(), s.number, s.gone)
			}
		}
		h.upToDate = true
		maps.Copy(h.settled, h.tables)
		if m.Headers.LastSeen == nil {
			return nil
		}
		if _, err := strconv.ParseUint(*m.Headers.LastSeen, 10, 64); err != nil {
			return found(badControl, "global_last_seen_lsn: %v", err)
		}
	case "snapshot-end":
		if h.ended++; h.ended > 1 {
			return found(badControl, "a second snapshot-end")
		}
		xmin, err := strconv.ParseUint(m.Headers.Xmin, 10, 64)
		if err != nil {
			return found(badControl, "the xmin of a snapshot-end: %v", err)
		}
		if s := h.history.missing(h.feed, xmin, h.seen); s != nil {
			return found(badControl, "snapshot-end with xmin %d, but %s number %d of transaction %d never came", xmin, s.key(), s.number, s.xid)
		}
	default:
		return found(badControl, "%q", m.Headers.Control)
	}
	return nil
}

func (h *held) change(m *message) *violation {
	if v := h.position(m); v != nil {
		return v
	}
	if id := m.Value["id"]; len(m.Headers.Relation) != 2 || id == nil || m.Key != rowKey(m.Headers.Relation[1], *id) {
		return found(protocol, "key, relation and id do not agree: relation %q", m.Headers.Relation)
	}
	if m.Headers.Last != nil {
		return found(protocol, "a merged feed has no last message of a transaction")
	}
	row, holds := h.rows[m.Key]
	switch m.Headers.Operation {
	case "insert":
		return h.insert(m, row)
	case "update":
		if !holds {
			return found(orphan, "an update of a row that is not held")
		}
		next := maps.Clone(row)
		maps.Copy(next, normal(m.Value))
		return h.settle(m.Key, next)
	case "delete":
		if !holds {
			return found(orphan, "a delete of a row that is not held")
		}
		h.left[m.Key] = number(row)
		delete(h.rows, m.Key)
		return nil
	}
	return found(protocol, "operation %q", m.Headers.Operation)
}

// position checks a message's place in the log and its transaction.
func (h *held) position(m *message) *violation {
	for _, xid := range m.Headers.TxIDs {
		if h.history.isDoomed(xid) {
			return found(rolledBack, "transaction %d was rolled back", xid)
		}
	}
	if len(m.Headers.Relation) != 2 {
		return found(protocol, "relation %q", m.Headers.Relation)
	}
	side := m.Headers.Relation[1]
	h.tables[side] = true
	if m.Headers.LSN == "" {
		// A table that the feed's environment had no runs in may come later.
		if h.settled[side] {
			return found(tooEarly, "a row of a snapshot comes after an up-to-date")
		}
		return nil
	}
	lsn, err := strconv.ParseUint(m.Headers.LSN, 10, 64)
	if err != nil {
		return found(protocol, "lsn %q", m.Headers.LSN)
	}
	at := place{lsn, m.Headers.OpPosition}
	if was := h.places[side]; at.lsn < was.lsn || at.lsn == was.lsn && at.op < was.op {
		return found(regression, "%s went from %d/%d back to %d/%d", side, was.lsn, was.op, at.lsn, at.op)
	}
	h.places[side] = at
	if len(m.Headers.TxIDs) == 1 {
		h.last[side] = m.Headers.TxIDs[0]
	}
	return nil
}

// insert takes in a whole row. It may come twice, but not over another state: the
// reader would have missed how that ended.
func (h *held) insert(m *message, was values) *violation {
	row := normal(m.Value)
	if n := number(row); was == nil && n <= h.left[m.Key] {
		return found(regression, "number %d again, after it was deleted with number %d", n, h.left[m.Key])
	}
	if was != nil {
		a, b := number(was), number(row)
		if b < a {
			return found(regression, "number %d again, after %d", b, a)
		}
		if a != b {
			return found(orphan, "inserted with number %d over number %d, which never left", b, a)
		}
	}
	return h.settle(m.Key, row)
}

// settle compares a row as it is now with the state that has its number.
func (h *held) settle(key string, row values) *violation {
	n := number(row)
	s := h.history.find(key, n)
	switch {
	case s == nil:
		return found(wrongState, "number %d was never written", n)
	case s.doomed:
		return found(rolledBack, "number %d was rolled back", n)
	case !h.feed.selects(s.facts):
		return found(stranger, "number %d is of environment %s with the tags %q and batch %q, old %v", n, s.env, s.tags, s.batch, s.old)
	case n < h.seen[key]:
		return found(regression, "number %d again, after %d", n, h.seen[key])
	}
	if difference := compare(h.feed.columns, h.feed.told(s.values), row); difference != "" {
		return found(wrongState, "number %d: %s", n, difference)
	}
	h.seen[key] = n
	h.rows[key] = row
	return nil
}

// number is what tells the states of a row apart; -1 if there is none.
func number(row values) int {
	if text := row["number"]; text != nil {
		if n, err := strconv.Atoi(*text); err == nil {
			return n
		}
	}
	return -1
}

// normal gives the one column that snapshots and logs write differently one form.
func normal(row values) values {
	text := row["isTest"]
	if text == nil || *text != "t" && *text != "f" {
		return row
	}
	row = maps.Clone(row)
	word := strconv.FormatBool(*text == "t")
	row["isTest"] = &word
	return row
}

// compare says in which of the columns two rows differ, or "".
func compare(columns []string, want, got values) string {
	show := func(v *string, there bool) string {
		switch {
		case !there:
			return "nothing"
		case v == nil:
			return "NULL"
		case len(*v) > 60:
			return fmt.Sprintf("%.60q... of %d bytes", *v, len(*v))
		}
		return strconv.Quote(*v)
	}
	for _, c := range columns {
		a, b := want[c], got[c]
		_, there := got[c]
		if !there || (a == nil) != (b == nil) || a != nil && *a != *b {
			return fmt.Sprintf("column %s is %s, not %s", c, show(b, there), show(a, true))
		}
	}
	for c := range got {
		if !slices.Contains(columns, c) {
			return "a column " + c + " that was not asked for"
		}
	}
	return ""
}

// differs says how what is held differs from what Postgres selects, or "".
func (h *held) differs(truth map[string]values) string {
	for _, key := range slices.Sorted(maps.Keys(truth)) {
		row, ok := h.rows[key]
		if !ok {
			return fmt.Sprintf("%s, number %d, is missing", key, number(truth[key]))
		}
		if difference := compare(h.feed.columns, truth[key], row); difference != "" {
			return key + ": " + difference
		}
	}
	for _, key := range slices.Sorted(maps.Keys(h.rows)) {
		if _, ok := truth[key]; !ok {
			return fmt.Sprintf("%s, number %d, is not there any more", key, number(h.rows[key]))
		}
	}
	return ""
}
