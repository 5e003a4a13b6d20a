package oracle

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/runid"
)

// columns are what feeds give of a run.
var columns = []string{
	"id", "taskIdentifier", "createdAt", "updatedAt", "startedAt", "delayUntil", "queuedAt", "expiredAt",
	"completedAt", "friendlyId", "number", "isTest", "status", "usageDurationMs", "costInCents",
	"baseCostInCents", "ttl", "payload", "payloadType", "metadata", "metadataType", "output", "outputType",
	"runTags", "error", "realtimeStreams",
}

// values are the columns of one row as Postgres writes them; nil is NULL.
type values map[string]*string

// facts are what feeds select by, and where the row is.
type facts struct {
	table    runid.Table
	id       string
	friendly string
	env      string
	tags     []string // nil: NULL
	batch    string   // "": NULL
	old      bool     // made before the floor of every tag feed
	kept     bool     // followed by a run feed: never deleted nor given another id
}

func (f facts) key() string { return rowKey(f.table.Name(), f.id) }

// rowKey is the key that messages name a row by.
func rowKey(table, id string) string { return fmt.Sprintf(`"public"."%s"/"%s"`, table, id) }

// state is one row between two changes.
type state struct {
	facts
	number int
	xid    uint64 // the transaction that made it
	doomed bool   // it will be rolled back
	gone   bool   // the row was deleted: the end of the states before
	values values
}

// history is every state of every row, written down before anyone can see it.
type history struct {
	mu     sync.RWMutex
	rows   map[string][]*state // by key, in the order of numbers
	made   map[uint32][]*state // by transaction, as messages name them
	doomed map[uint32]bool     // transactions that are rolled back
}

func newHistory() *history {
	return &history{rows: make(map[string][]*state), made: make(map[uint32][]*state), doomed: make(map[uint32]bool)}
}

func (h *history) add(s *state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[s.key()] = append(h.rows[s.key()], s)
	h.made[uint32(s.xid)] = append(h.made[uint32(s.xid)], s)
}

func (h *history) doom(xid uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doomed[uint32(xid)] = true
}

func (h *history) isDoomed(xid uint32) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.doomed[xid]
}

// find gives the state of a row with this number, or nil.
func (h *history) find(key string, number int) *state {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, s := range slices.Backward(h.rows[key]) {
		if s.number == number && !s.gone {
			return s
		}
	}
	return nil
}

// missing gives a row whose newest state before transaction xmin the feed
// selects and the reader has never seen, although nothing later explains that.
// seen are the highest numbers that the reader saw of each row.
func (h *history) missing(f *feed, xmin uint64, seen map[string]int) *state {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for key, states := range h.rows {
		var newest *state
		explained := false
		for _, s := range states {
			switch {
			case s.doomed:
			case s.xid < xmin:
				newest = s
			case s.gone || !f.selects(s.facts):
				explained = true // it may have left before the snapshot was taken
			}
		}
		if newest != nil && !newest.gone && !explained && f.selects(newest.facts) && seen[key] < newest.number {
			return newest
		}
	}
	return nil
}

// cut gives a state that transaction xid left in a table and that a reader does
// not have, although it has others of the same transaction and table; nil if the
// transaction is whole. It must be the last of that table that the reader has.
func (h *history) cut(f *feed, table string, xid uint32, rows map[string]values) *state {
	h.mu.RLock()
	defer h.mu.RUnlock()
	last := make(map[string]*state)
	for _, s := range h.made[xid] {
		if !s.doomed && s.table.Name() == table {
			last[s.key()] = s
		}
	}
	for key, s := range last {
		want := -1
		if !s.gone && f.selects(s.facts) {
			want = s.number
		}
		if number(rows[key]) != want {
			return s
		}
	}
	return nil
}

// feed is something that readers follow.
type feed struct {
	name    string
	path    string
	query   map[string]string
	key     string // of the environment
	env     string
	tags    []string // all must be on a run
	batch   string   // "": any
	id      string   // "": any
	recent  bool     // it has a floor
	modern  bool     // its readers say that they know today's statuses
	columns []string
	tables  []runid.Table
}

// told is a row as the feed's readers are told of it.
func (f *feed) told(row values) values {
	if status := row["status"]; f.modern || status == nil || *status != "DEQUEUED" {
		return row
	}
	row = maps.Clone(row)
	former := "EXECUTING"
	row["status"] = &former
	return row
}

// since is before the floor of every tag feed and after every old row.
func since() time.Time { return time.Now().UTC().Add(-48 * time.Hour) }

func (f *feed) selects(s facts) bool {
	if s.env != f.env || f.recent && s.old || f.batch != "" && s.batch != f.batch ||
		f.id != "" && (s.id != f.id || !slices.Contains(f.tables, s.table)) {
		return false
	}
	for _, tag := range f.tags {
		if !slices.Contains(s.tags, tag) {
			return false
		}
	}
	return true
}
