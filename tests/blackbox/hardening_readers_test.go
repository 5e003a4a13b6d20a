package blackbox

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realtime-gw/realtime-gw/internal/shapes/flight"
)

// large makes a feed of the tag large, of so many runs in each table.
func (w *world) large(rows, rowBytes int) {
	for table, from := range map[string]string{`"TaskRun"`: w.ours.legacy.ID, "task_run_v2": w.ours.v2.ID} {
		w.exec(`INSERT INTO `+table+` SELECT (jsonb_populate_record(t, jsonb_build_object('id', t."id" || i, 'friendlyId', t."friendlyId" || i,
			'runTags', jsonb_build_array('large'), 'payload', repeat('x', $3)))).* FROM `+table+` t, generate_series(1, $2) i WHERE t."id" = $1`, from, rows, rowBytes)
	}
}

// Prevents that clients which ask for much and read nothing keep what an environment, or
// everybody, may begin at the same time: they are cut off after a while.
func TestReadersThatNeverReadMakeRoom(t *testing.T) {
	const most = 8
	w := newWorld(t, settings{sendBuffer: 64 << 10, unread: dawdling, perEnvironment: flight.PerEnvironment{Beginnings: most}})
	w.large(800, 4<<10)
	const path = "/realtime/v1/runs?tags=large"
	for range most / 2 { // each begins to read two shapes
		stuck := w.wire()
		_ = stuck.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		stuck.send(get(path+"&offset=-1", w.ours.key))
		if _, err := stuck.conn.Read(make([]byte, 1)); err != nil { // it is being answered
			t.Fatal(err)
		}
	}
	if got := w.get("/realtime/v1/runs?tags=other&offset=-1", w.ours.key); got.status != 429 {
		t.Fatalf("one more than may begin: %d %s", got.status, got.body)
	}
	w.until("room for another", func() bool { return w.get("/realtime/v1/runs?tags=other&offset=-1", w.ours.key).status == 200 })
}

// Prevents that a client which asks for much and reads nothing costs memory for
// all of it, or holds up the others: what it pins is bounded by 256 KiB, the share of
// an upstream in the same process included, and goes with its connection.
func TestReadersThatNeverRead(t *testing.T) {
	// The system would take megabytes of each answer, and the gateway not let one
	// environment begin so many.
	w := newWorld(t, settings{sendBuffer: 64 << 10, uncounted: true, unread: time.Hour, perEnvironment: flight.PerEnvironment{Beginnings: 1 << 20, Calls: 1 << 20}})
	// What a reader pins does not depend on how much there is, so it is little, but
	// for who asks for READERS_MIB.
	const readers, rowBytes = 1000, 4 << 10
	rows := 800
	if mib, err := strconv.Atoi(os.Getenv("READERS_MIB")); err == nil {
		rows = mib << 20 / 2 / rowBytes
	}
	w.large(rows, rowBytes)
	const path = "/realtime/v1/runs?tags=large"
	read := func(key string) int {
		seen, query := 0, "offset=-1"
		for {
			got := w.get(with(path, query), key)
			if got.status != 200 {
				t.Fatalf("%d %.200s", got.status, got.body)
			}
			if seen += strings.Count(got.body, `"operation":"insert"`); got.header["Electric-Up-To-Date"] != nil {
				return seen
			}
			query = got.place()
		}
	}
	if n := read(w.ours.key); n != 2*rows {
		t.Fatalf("the feed has %d rows", n)
	}
	memory := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := memory()
	stuck := make([]*wire, readers)
	for i := range stuck {
		stuck[i] = w.wire()
		_ = stuck[i].conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		stuck[i].send(get(path+"&offset=-1", w.ours.key))
		if _, err := stuck[i].conn.Read(make([]byte, 1)); err != nil { // it is being answered
			t.Fatal(err)
		}
	}
	if n := read(w.ours.token("read:tags:large")); n != 2*rows {
		t.Errorf("a reader beside them gets %d rows", n)
	}
	w.client.CloseIdleConnections()
	const each = 256 << 10
	if grown := memory() - before; grown > readers*each {
		t.Errorf("%d readers that do not read pin %d KiB each", readers, grown/readers>>10)
	} else {
		t.Logf("%d readers that do not read pin %d KiB each", readers, grown/readers>>10)
	}
	for _, c := range stuck {
		_ = c.conn.Close()
	}
	w.until("their handlers to end", func() bool {
		return strings.Count(w.log.String(), `"route":"/realtime/v1/runs"`) >= readers+2
	})
	if strings.Contains(w.log.String(), `"level":"error"`) {
		t.Error("clients that left are logged as faults")
	}
}
