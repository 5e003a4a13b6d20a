package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/realtime-gw/realtime-gw/internal/localpg/pgtest"
)

// mark stands in everything that a client sends and in every row.
const mark = "xyzzyMARK"

// echo is an upstream that repeats what it was asked: first in an answer that is no
// HTTP, then in a refusal.
func echo(t *testing.T) string {
	t.Helper()
	first := make(map[string]bool)
	lock := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock <- struct{}{}
		again := first[r.URL.RawQuery]
		first[r.URL.RawQuery] = true
		<-lock
		if again {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"message":%q}`, r.URL.RequestURI())
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, r.URL.RequestURI()+"\r\n\r\n")
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Whatever clients send, and whatever the upstream makes of it, the log and the traces
// hold nothing of it: no token, tag, id, place or row, and no secret of the program's
// own. What they hold of a request is under one id.
func TestNothingOfARequestIsToldOn(t *testing.T) {
	database, demo, pool := seeded(t)
	traces := newCollector(t)
	upstream := run(t, []string{"DATABASE_URL=" + database, "REALTIME_GW_SLOT=" + pgtest.Slot(t), "REALTIME_GW_ADDR=127.0.0.1:0"}, "shapes")
	p := run(t, []string{
		"DATABASE_URL=" + database, "REALTIME_GW_CURSOR_KEYS=" + goodKey, "ELECTRIC_ORIGIN_SHARDS=" + served(t, upstream) + "," + echo(t),
		"ELECTRIC_SECRET=" + sesame, "REALTIME_GW_ADDR=127.0.0.1:0", "REALTIME_GW_LOG_LEVEL=debug", "REALTIME_GW_DRAIN=0s",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + traces.url, "OTEL_EXPORTER_OTLP_HEADERS=authorization=" + sesame, "OTEL_BSP_SCHEDULE_DELAY=100",
	}, "serve")
	origin := listens(t, p)
	createRuns(t, pool, demo.EnvironmentID, mark)
	if _, err := pool.Exec(t.Context(), `UPDATE "TaskRun" SET payload = $1, metadata = $1`, mark); err != nil {
		t.Fatal(err)
	}
	statuses := flood(t, origin, demo.APIKey)
	for _, status := range []int{200, 400, 401, 404, 405, 409, 500, 501} {
		if statuses[status] == 0 {
			t.Errorf("nothing was answered with %d: %v", status, statuses)
		}
	}
	garbage(t, origin)

	// One that waits, whose id and whose trace come from outside.
	const id, trace = "outside-7", "0af7651916cd43dd8448eb211c80319c"
	r := marked(t, http.MethodGet, origin+"/realtime/v1/runs?offset=-1&tags="+mark+"0", demo.APIKey)
	r.Header.Set("X-Request-Id", id)
	r.Header.Set("traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("X-Request-Id"); got != id {
		t.Errorf("answered as %q", got)
	}

	request := traces.until("linked to the client's", func(s *tracepb.Span) bool {
		return len(s.Links) == 1 && hex.EncodeToString(s.Links[0].TraceId) == trace
	})
	if request.Name != "request /realtime/v1/runs" || attribute(request, "http.route") != "/realtime/v1/runs" || len(request.ParentSpanId) != 0 || hex.EncodeToString(request.TraceId) == trace {
		t.Errorf("the span of a request is %v", request)
	}
	read := traces.until("a read for it", func(s *tracepb.Span) bool { return string(s.ParentSpanId) == string(request.SpanId) })
	if read.Name != "upstream read" || string(read.TraceId) != string(request.TraceId) || read.Kind != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("the span of a read is %v", read)
	}
	traces.until("a failed read", func(s *tracepb.Span) bool {
		return s.Name == "upstream read" && s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR && attribute(s, "error.type") != ""
	})
	traces.until("a wait", named("upstream wait"))
	traces.until("of a run", named("request /realtime/v1/runs/{run}"))
	traces.until("of nothing", named("request"))
	p.err.until(t, `"trace_id":"`+hex.EncodeToString(request.TraceId)+`"`)

	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("ends with %d", code)
	}
	log, exported := p.err.String(), traces.said()
	never := []string{mark, demo.APIKey, demo.EnvironmentID, sesame, goodKey}
	inTraces := []string{"run_", "params", "offset=", "runtimeEnvironmentId", "127.0.0.1", "malformed", "v1/shape"} // no part of a URL or of an error's text
	for what, said := range map[string]string{"the log": log, "the traces": exported} {
		secrets := never
		if what == "the traces" {
			secrets = slices.Concat(never, inTraces)
		}
		for _, secret := range secrets {
			if at := strings.Index(strings.ToLower(said), strings.ToLower(secret)); at >= 0 {
				t.Errorf("%q is in %s: ...%q", secret, what, said[max(0, at-200):min(len(said), at+100)])
			}
		}
	}
	// The upstream's failures are there, under the id of the request they were met by.
	failed := 0
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, "a call to the upstream failed") || strings.Contains(line, "request failed") {
			if failed++; !strings.Contains(line, `"request_id":"`) || !strings.Contains(line, `"trace_id":"`) {
				t.Errorf("a line of no request: %s", line)
			}
		}
	}
	if failed < 2 {
		t.Errorf("%d lines of the upstream's failures:\n%s", failed, log)
	}
}

// marked is a request with the mark wherever a header takes it.
func marked(t *testing.T, method, target, credential string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	for _, name := range []string{
		"User-Agent", "Origin", "Referer", "Cookie", "X-Forwarded-For", "Forwarded", "X-Real-Ip", "Tracestate", "Baggage", "If-None-Match", "Accept",
		"X-Trigger-Api-Version", "X-Trigger-Electric-Version", "Access-Control-Request-Headers", "X-" + mark,
	} {
		r.Header.Set(name, "a="+mark)
	}
	if strings.Contains(credential, mark) {
		r.Header.Set("X-Trigger-Branch", mark) // which a good key would be refused for
	}
	r.Header.Set("X-Request-Id", mark+" is no id")
	r.Header.Set("Traceparent", "00-"+mark)
	r.Host = mark
	return r
}

// flood sends marked requests to all routes, and gives how often each status came. What
// waits is left.
func flood(t *testing.T, origin, key string) map[int]int {
	t.Helper()
	statuses := make(map[int]int)
	send := func(r *http.Request) http.Header {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		if r.URL.Query().Get("live") == "true" && r.Header.Get("Authorization") == "Bearer "+key {
			ctx, cancel = context.WithTimeout(r.Context(), time.Second/2)
		}
		defer cancel()
		res, err := http.DefaultClient.Do(r.WithContext(ctx))
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("%s %s: %v", r.Method, r.URL, err)
			}
			return nil
		}
		defer func() { _ = res.Body.Close() }()
		_, _ = io.Copy(io.Discard, res.Body)
		statuses[res.StatusCode]++
		return res.Header
	}
	jwt := "eyJhbGciOiJIUzI1NiJ9." + mark + "." + mark
	for _, credential := range []string{key, mark, "tr_dev_" + mark, "pk_dev_" + mark, jwt} {
		for _, path := range []string{
			"/realtime/v1/runs/run_" + mark, "/realtime/v1/runs/" + mark, "/realtime/v1/batches/batch_" + mark,
			"/realtime/v1/streams/" + mark, "/" + mark, "/realtime/v1/runs", "/healthz", "/realtime/v1/" + mark,
		} {
			for _, query := range []string{
				"offset=-1", "offset=" + mark, "offset=-1&" + mark + "=" + mark, "offset=7_0&live=true&handle=" + mark + "&cursor=" + mark,
				"offset=-1&createdAt=" + mark, "offset=-1&offset=" + mark, "offset=-1;" + mark, "offset=-1&tags=%zz" + mark,
			} {
				send(marked(t, http.MethodGet, origin+path+"?"+query, credential))
			}
			send(marked(t, http.MethodOptions, origin+path, credential))
			send(marked(t, http.MethodPost, origin+path, credential))
			send(marked(t, mark, origin+path, credential))
		}
	}
	// Feeds with marked rows and tags, to the end and then held, until both upstreams
	// have had some: which asks which is drawn by lot.
	for i, held := 0, 0; (held < 2 || statuses[http.StatusInternalServerError] < 2) && i < 100; i++ {
		feed := "/realtime/v1/runs?tags=" + url.QueryEscape(mark) + "," + fmt.Sprint(mark, i)
		if i == 0 {
			feed = "/realtime/v1/runs?tags=" + mark
		}
		if h := send(marked(t, http.MethodGet, origin+feed+"&offset=-1", key)); h.Get("Electric-Offset") != "" {
			held++
			at := url.Values{"handle": {h.Get("Electric-Handle")}, "offset": {h.Get("Electric-Offset")}, "live": {"true"}}
			send(marked(t, http.MethodGet, origin+feed+"&"+at.Encode(), key))
		}
	}
	return statuses
}

// garbage sends what is no HTTP at all.
func garbage(t *testing.T, origin string) {
	t.Helper()
	for _, text := range []string{
		mark + "\r\n\r\n", "GET /" + mark + " HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n" + mark + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: " + mark + "\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\n" + mark + "\r\n\r\n" + mark + mark, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat(mark, 5),
		"\x16\x03\x01\x02\x00\x01\x00" + mark,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
