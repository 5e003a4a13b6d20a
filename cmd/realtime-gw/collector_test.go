package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes traces over OTLP, as an OpenTelemetry collector does.
type collector struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	changed *sync.Cond
	late    bool
	raw     strings.Builder // all that came, as it came
	spans   []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t}
	c.changed = sync.NewCond(&c.mu)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	c.changed.Broadcast()
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// until waits until there is a span for which it says so, and gives it.
func (c *collector) until(what string, is func(*tracepb.Span) bool) *tracepb.Span {
	c.t.Helper()
	timer := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.late = true
		c.changed.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.late {
		for _, s := range c.spans {
			if is(s) {
				return s
			}
		}
		c.changed.Wait()
	}
	c.t.Fatalf("no span is %s", what)
	return nil
}

// attribute is a span's, or "".
func attribute(s *tracepb.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func named(name string) func(*tracepb.Span) bool {
	return func(s *tracepb.Span) bool { return s.Name == name }
}

func (c *collector) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}
