package embedded

import (
	"strconv"
	"strings"

	"github.com/realtime-gw/realtime-gw/internal/replication"
)

// mustRefetch is the whole body of a 409.
const mustRefetch = `[{"headers":{"control":"must-refetch"}}]`

// upToDate is the control message that says that nothing more is there; lsn is
// the newest commit that this answer takes into account.
func upToDate(lsn replication.LSN) string {
	return `{"headers":{"control":"up-to-date","global_last_seen_lsn":"` + lsn.String() + `"}}`
}

// snapshotEnd is the control message that ends a snapshot.
func snapshotEnd(s pgSnapshot) []byte {
	b := []byte(`{"headers":{"control":"snapshot-end","xmin":"`)
	b = strconv.AppendUint(b, s.xmin, 10)
	b = append(b, `","xmax":"`...)
	b = strconv.AppendUint(b, s.xmax, 10)
	b = append(b, `","xip_list":[`...)
	for i, x := range s.xip {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = strconv.AppendUint(b, x, 10)
		b = append(b, '"')
	}
	return append(b, `]}}`...)
}

// encoder writes the messages of one shape. It is immutable.
type encoder struct {
	keyPrefix string // "schema"."table", in key form
	relation  string // ["schema","table"], JSON
	names     []string
	labels    [][]byte // `"name":`, JSON, in the order of names
	pk        []int    // the primary key's places in names
	isPK      []bool
}

func newEncoder(table replication.Table, names, primaryKey []string) *encoder {
	e := &encoder{
		keyPrefix: keyPart(table.Schema) + "." + keyPart(table.Name),
		names:     names,
		labels:    make([][]byte, len(names)),
		isPK:      make([]bool, len(names)),
	}
	e.relation = string(appendString(nil, table.Schema)) + "," + string(appendString(nil, table.Name))
	e.relation = "[" + e.relation + "]"
	for i, n := range names {
		e.labels[i] = append(appendString(nil, n), ':')
	}
	for _, p := range primaryKey {
		for i, n := range names {
			if n == p {
				e.pk = append(e.pk, i)
				e.isPK[i] = true
			}
		}
	}
	if len(e.pk) == 0 { // no key: every column is part of it
		for i := range names {
			e.pk = append(e.pk, i)
			e.isPK[i] = true
		}
	}
	return e
}

// keyPart writes one part of the relation in a key: "/" and "." are doubled,
// quotes are not escaped (sync-service 1.7.12,
// replication/changes.ex).
func keyPart(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, "/", "//"), ".", "..") + `"`
}

// key is the message key of a row.
func (e *encoder) key(row replication.Tuple) string {
	var b strings.Builder
	b.WriteString(e.keyPrefix)
	for _, i := range e.pk {
		b.WriteByte('/')
		if row[i].Null {
			b.WriteByte('_')
			continue
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(row[i].Text, "/", "//"))
		b.WriteByte('"')
	}
	return b.String()
}

// snapshotRow is the message of a row of a snapshot. Its headers name no
// transaction.
func (e *encoder) snapshotRow(b []byte, row replication.Tuple) []byte {
	b = append(b, `{"key":`...)
	b = appendString(b, e.key(row))
	b = append(b, `,"value":`...)
	b = e.value(b, row, nil)
	b = append(b, `,"headers":{"operation":"insert","relation":`...)
	b = append(b, e.relation...)
	return append(b, `}}`...)
}

// value writes the columns that include names, or all of them.
func (e *encoder) value(b []byte, row replication.Tuple, include func(int) bool) []byte {
	b = append(b, '{')
	first := true
	for i, v := range row {
		if include != nil && !include(i) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, e.labels[i]...)
		if v.Null {
			b = append(b, `null`...)
		} else {
			b = appendString(b, v.Text)
		}
	}
	return append(b, '}')
}

// logMessage is what one change means for one shape.
type logMessage struct {
	operation string
	op        uint32
	row       replication.Tuple
	include   func(int) bool // which columns are sent; nil for all
	keyChange string         // headers of an update of the primary key, with its leading comma
}

// messages says what a change means to a shape: inside and outside say whether
// its old and new row are selected. The tuples hold the shape's columns only.
func (e *encoder) messages(dst []logMessage, c replication.Change, before, after replication.Tuple, inside, stays bool) []logMessage {
	switch {
	case !inside && stays:
		return append(dst, logMessage{operation: "insert", op: c.Op, row: after})
	case inside && !stays:
		return append(dst, logMessage{operation: "delete", op: c.Op, row: before, include: e.inKey})
	case !inside:
		return dst
	}
	changed := func(i int) bool { return before[i] != after[i] }
	differs, key := false, false
	for i := range after {
		if changed(i) {
			differs = true
			key = key || e.isPK[i]
		}
	}
	switch {
	case !differs:
		return dst
	case key:
		return append(dst,
			logMessage{operation: "delete", op: c.Op, row: before, include: e.inKey,
				keyChange: `,"key_change_to":` + string(appendString(nil, e.key(after)))},
			logMessage{operation: "insert", op: c.Op + 1, row: after,
				keyChange: `,"key_change_from":` + string(appendString(nil, e.key(before)))})
	}
	return append(dst, logMessage{operation: "update", op: c.Op, row: after,
		include: func(i int) bool { return e.isPK[i] || changed(i) }})
}

func (e *encoder) inKey(i int) bool { return e.isPK[i] }

// encode writes a message of the log. last marks the last message of a
// transaction for this shape.
func (e *encoder) encode(m logMessage, tx replication.Transaction, last bool) []byte {
	var room [1024]byte
	b := room[:0]
	b = append(b, `{"value":`...)
	b = e.value(b, m.row, m.include)
	b = append(b, `,"key":`...)
	b = appendString(b, e.key(m.row))
	b = append(b, `,"headers":{`...)
	if last {
		b = append(b, `"last":true,`...)
	}
	b = append(b, `"relation":`...)
	b = append(b, e.relation...)
	b = append(b, `,"operation":"`...)
	b = append(b, m.operation...)
	b = append(b, `","lsn":"`...)
	b = strconv.AppendUint(b, uint64(tx.CommitLSN), 10)
	b = append(b, `","op_position":`...)
	b = strconv.AppendUint(b, uint64(m.op), 10)
	b = append(b, `,"txids":[`...)
	b = strconv.AppendUint(b, uint64(tx.XID), 10)
	b = append(b, ']')
	b = append(b, m.keyChange...)
	b = append(b, `}}`...)
	return append(make([]byte, 0, len(b)), b...) // it is kept: no room to grow
}
