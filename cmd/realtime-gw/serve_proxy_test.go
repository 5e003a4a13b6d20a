package main

import (
	"net"
	"strings"
	"testing"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// Prevents that a proxy of the environment gets to see the upstream's secret and
// everybody's rows: the one upstream is asked directly, whatever HTTP_PROXY says.
// 0.0.0.0 leads to this machine and is, unlike 127.0.0.1, not excepted from
// proxies anyway.
func TestServeAsksNoProxy(t *testing.T) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			asked <- conn.RemoteAddr().String()
			conn.Close()
		}
	}()
	defer func() { proxy.Close(); <-ended }()
	database, demo, _ := seeded(t)
	upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(served(t, upstream), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "REALTIME_GW_ADDR=127.0.0.1:0",
		"ELECTRIC_ORIGIN=http://0.0.0.0:" + port, "ELECTRIC_SECRET=" + sesame,
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"} {
		env = append(env, name+"=http://"+proxy.Addr().String())
	}
	origin := served(t, run(t, env, "serve"))
	at := must(t, origin+"/realtime/v1/runs?offset=-1", demo.APIKey)
	if at.status != 200 {
		t.Errorf("%d %s", at.status, at.body)
	}
	select {
	case who := <-asked:
		t.Errorf("the proxy was asked by %s", who)
	default:
	}
}
