package replication

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// counter is a Consumer that checks the order of calls.
type counter struct {
	t                                *testing.T
	open                             bool
	begun, changes, ended, positions int
}

func (c *counter) Begin(Transaction) {
	if c.open {
		c.t.Error("a transaction begins inside another")
	}
	c.open = true
	c.begun++
}

func (c *counter) Change(x Change) {
	if !c.open || x.Relation == nil {
		c.t.Errorf("a change outside a transaction, or of nothing: %+v", x)
	}
	for _, row := range [2]Tuple{x.Old, x.New} {
		if row != nil && len(row) != len(x.Relation.Columns) {
			c.t.Errorf("%d values for %d columns", len(row), len(x.Relation.Columns))
		}
	}
	if (x.Old != nil) != (x.Kind == Update || x.Kind == Delete) || (x.New != nil) != (x.Kind == Insert || x.Kind == Update) {
		c.t.Errorf("kind %d with rows %v, %v", x.Kind, x.Old, x.New)
	}
	c.changes++
}
func (c *counter) Commit()        { c.open = false; c.ended++ }
func (c *counter) Abort()         { c.open = false }
func (c *counter) Position(LSN)   { c.positions++ }
func (c *counter) Lost()          {}
func (c *counter) Following(bool) {}

// The messages of a small transaction, written as Postgres writes them.
var wholeMessages = []string{
	"B" + be(8, 1000) + be(8, 5) + be(4, 77),
	"R" + be(4, 16384) + "public\x00a\x00f" + be(2, 2) + "\x01id\x00" + be(4, 23) + be(4, 0xffffffff) + "\x00v\x00" + be(4, 1043) + be(4, 9),
	"I" + be(4, 16384) + "N" + be(2, 2) + "t" + be(4, 1) + "1" + "t" + be(4, 3) + "abc",
	"U" + be(4, 16384) + "O" + be(2, 2) + "t" + be(4, 1) + "1" + "t" + be(4, 3) + "abc" + "N" + be(2, 2) + "t" + be(4, 1) + "2" + "u",
	"D" + be(4, 16384) + "O" + be(2, 2) + "t" + be(4, 1) + "2" + "n",
	"T" + be(4, 1) + "\x00" + be(4, 16384),
	"C\x00" + be(8, 1000) + be(8, 1050) + be(8, 5),
}

// be is n in size bytes, the highest first.
func be(size int, n uint64) string {
	b := binary.BigEndian.AppendUint64(nil, n)
	return string(b[8-size:])
}

func TestDecode(t *testing.T) {
	d, r := newDecoder(), newRecorder()
	for _, m := range wholeMessages {
		end, err := d.decode([]byte(m), r)
		if err != nil {
			t.Fatalf("%.1q: %v", m, err)
		}
		if (end != 0) != (m[0] == 'C') || m[0] == 'C' && end != 1050 {
			t.Errorf("%.1q ends at %s", m, end)
		}
	}
	if len(r.got) != 1 || r.got[0].XID != 77 || r.got[0].CommitLSN != 1000 {
		t.Fatalf("%+v", r.got)
	}
	if got := r.got[0].text(); got != "0 insert a >1,abc; 2 update a 1,abc>2,abc; 4 delete a 2,NULL>; 6 truncate a >" {
		t.Error(got)
	}
	if c := r.got[0].Changes[0].Relation.Columns[1]; (c != Column{"v", 1043, 9}) {
		t.Errorf("%+v", c)
	}
}

// TestDamagedMessages: every message, cut anywhere or one byte too long, is an
// error, and so is a message at the wrong moment.
func TestDamagedMessages(t *testing.T) {
	for i, m := range wholeMessages {
		for cut := range len(m) + 1 {
			d := newDecoder()
			for _, before := range wholeMessages[:i] {
				if _, err := d.decode([]byte(before), newRecorderOpen()); err != nil {
					t.Fatal(err)
				}
			}
			damaged := m[:cut]
			if cut == len(m) {
				damaged += "\x00"
			}
			if _, err := d.decode([]byte(damaged), newRecorderOpen()); err == nil {
				t.Errorf("%.1q cut to %d of %d bytes is taken", m, cut, len(m))
			}
		}
	}
	for _, order := range []string{"C", "BB", "RI", "BI", "RT", "RBIC", "RU"} {
		d := newDecoder()
		var err error
		for _, kind := range order {
			for _, m := range wholeMessages {
				if m[0] == byte(kind) && err == nil {
					_, err = d.decode([]byte(m), newRecorderOpen())
				}
			}
		}
		if (err == nil) != (order == "RBIC") {
			t.Errorf("%s: %v", order, err)
		}
	}
	d := newDecoder()
	for _, m := range wholeMessages[:2] {
		if _, err := d.decode([]byte(m), newRecorderOpen()); err != nil {
			t.Fatal(err)
		}
	}
	key := strings.Replace(wholeMessages[4], "O", "K", 1)
	if _, err := d.decode([]byte(key), newRecorderOpen()); err == nil || !strings.Contains(err.Error(), `ALTER TABLE "public"."a" REPLICA IDENTITY FULL`) {
		t.Errorf("a change with its key alone: %v", err)
	}
}

// newRecorderOpen is a recorder to which a change may come first.
func newRecorderOpen() *recorder {
	r := newRecorder()
	r.open = &collected{}
	return r
}

// FuzzDecode cuts its input into messages, by a length of two bytes before each,
// and gives them to one decoder: whatever they hold, it answers with calls in
// order or an error, and takes no more memory than the input explains.
func FuzzDecode(f *testing.F) {
	var all string
	for _, m := range wholeMessages {
		all += be(2, uint64(len(m))) + m
		f.Add([]byte(be(2, uint64(len(m))) + m))
	}
	f.Add([]byte(all))
	f.Add([]byte(strings.Replace(all, "abc", "a\x00\xff", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, c := newDecoder(), &counter{t: t}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		size := len(data)
		for len(data) >= 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			end, err := d.decode(data[2:2+n], c)
			if err != nil {
				break
			}
			if end != 0 && c.open {
				t.Error("a commit leaves its transaction open")
			}
			data = data[2+n:]
		}
		runtime.ReadMemStats(&after)
		// A column costs 40 bytes and its place twice 16 for the 2 bytes of a NULL.
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(200*size+1<<20) {
			t.Errorf("%d bytes were allocated for %d of input", took, size)
		}
	})
}
