package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"

	"github.com/realtime-gw/realtime-gw/internal/runid"
	"github.com/realtime-gw/realtime-gw/internal/shapes"
	"github.com/realtime-gw/realtime-gw/internal/shapes/electric"
)

// side is the way to the shape server for the requests about one table.
type side struct {
	t         testing.TB
	table     runid.Table
	proxy     *toxiproxy.Proxy
	transport *electric.Transport // the program's own, to the proxy
}

// newSide stands up the way to the server at an address.
func newSide(t testing.TB, server *toxiproxy.ApiServer, table runid.Table, address string) *side {
	t.Helper()
	s := &side{t: t, table: table, transport: electric.NewTransport()}
	var err error
	for range 100 {
		// Below the ports that the system gives to outgoing connections: one of those
		// could take it while the proxy is stopped.
		listen := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(10_000))
		s.proxy = toxiproxy.NewProxy(server, table.String(), listen, address)
		if err = s.proxy.Start(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	address = s.proxy.Listen
	s.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, address)
	}
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		s.proxy.Stop()
	})
	return s
}

// poison adds a toxic to every connection of the side, of now and of later.
func (s *side) poison(stream, kind, attributes string) {
	s.t.Helper()
	toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
	if _, err := s.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		s.t.Fatalf("%s: %v", toxic, err)
	}
}

// cure removes what poison added.
func (s *side) cure() { s.proxy.Toxics.ResetToxics(s.t.Context()) }

// refuse closes the side's connections and has new ones refused, until it is accepted again.
func (s *side) refuse() { s.proxy.Stop() }

func (s *side) accept() {
	s.t.Helper()
	if err := s.proxy.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// leave is the key of when a call was given leave to be made: a busy machine may take long
// from there to the wire.
type leave struct{}

// leaving takes note of that.
type leaving struct{ shapes.Source }

func (l leaving) Read(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.Page, error) {
	return l.Source.Read(context.WithValue(ctx, leave{}, time.Now()), def, pos)
}

func (l leaving) Wait(ctx context.Context, def *shapes.Definition, pos shapes.Position) (*shapes.News, error) {
	return l.Source.Wait(context.WithValue(ctx, leave{}, time.Now()), def, pos)
}

// router is the transport of the gateway's client of the shape server: it takes the way of
// the request's table, and notes each request.
type router struct {
	sides  map[runid.Table]*side
	ledger *ledger
}

func (r *router) RoundTrip(request *http.Request) (*http.Response, error) {
	shape, table := shapeOf(request.URL)
	if shape == "" {
		return r.sides[table].transport.RoundTrip(request)
	}
	left, _ := request.Context().Value(leave{}).(time.Time)
	call := r.ledger.note(shape, table, left)
	response, err := r.sides[table].transport.RoundTrip(request)
	call.answered(response, err)
	return response, err
}
