package electric

import (
	"errors"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/shapes"
)

// Electric 1.7.12 closes a connection after its 50th request and does not say
// so. Nobody may notice: the request that meets the end is sent again.
func TestTheEndOfAConnectionIsNotNoticed(t *testing.T) {
	next := find(t, "15-connections", "keep-50")
	q, why := next.asked()
	if why != "" {
		t.Fatal(why)
	}
	server := newScripted(t)
	client := server.client(t, "")
	for n := range 3*perConnection + 1 {
		server.script <- reply{wire: next.Response.wire(1 << 20)}
		page, err := client.Read(t.Context(), q.def, q.pos)
		if err != nil {
			t.Fatalf("request %d: %v", n+1, err)
		}
		if _, err := new(shapes.Batch).Fill(page.Messages, 1<<20); err != nil {
			t.Fatalf("request %d: %v", n+1, err)
		}
		page.Close()
		<-server.asked
	}
	client.transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	server.close()
	if server.accepted != 4 {
		t.Errorf("%d connections for %d requests: they are not kept", server.accepted, 3*perConnection+1)
	}
}

// Wherever an answer breaks off, head or body, in the middle of a chunk or just
// before the end of the last, nobody takes it for a whole one.
func TestABrokenAnswerIsNeverTakenForAWholeOne(t *testing.T) {
	for _, of := range [][2]string{
		{"04-single-run", "dequeued"}, // chunked
		{"13-unavailable", "held-1"},  // with a length
		{"13-unavailable", "next"},    // not held
	} {
		t.Run(of[1], func(t *testing.T) {
			x := find(t, of[0], of[1])
			q, why := x.asked()
			if why != "" {
				t.Fatal(why)
			}
			server := newScripted(t)
			client := server.client(t, "")
			wire := x.Response.wire(1 << 20)
			for n := range len(wire) {
				server.script <- reply{wire: wire[:n], hangUp: true}
				// Every other one is read as if it had not been held.
				q.live = n%2 == 0
				got, err := ask(t, client, q)
				var unavailable *shapes.Unavailable
				if err == nil || got.kind == "rows" || q.live && !errors.As(err, &unavailable) {
					t.Fatalf("cut after %d of %d bytes: %+v, %v", n, len(wire), got, err)
				}
				<-server.asked
			}
			server.script <- reply{wire: wire, hangUp: true}
			q, _ = x.asked()
			if got, err := ask(t, client, q); err != nil {
				t.Fatalf("whole: %+v, %v", got, err)
			}
			server.close()
		})
	}
}
