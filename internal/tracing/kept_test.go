package tracing

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// Of a span that has a mark wherever a library could put text, what is on the list is
// exported, and no mark.
func TestKept(t *testing.T) {
	const mark = "xyzzy"
	state, err := trace.ParseTraceState("a=" + mark)
	if err != nil {
		t.Fatal(err)
	}
	at := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	marked := []attribute.KeyValue{attribute.String("url.full", mark), attribute.String("http.request.header.x", mark), attribute.String(mark, "")}
	span := tracetest.SpanStub{
		Name: "request /x", SpanKind: trace.SpanKindServer, SpanContext: at, Parent: at,
		Attributes: append(marked, attribute.String("http.route", "/x"), attribute.Int("http.response.status_code", 500)),
		Links:      []sdktrace.Link{{SpanContext: at, Attributes: marked}},
		Events:     []sdktrace.Event{{Name: mark, Attributes: marked}},
		Status:     sdktrace.Status{Code: codes.Error, Description: mark},
	}
	exporter := tracetest.NewInMemoryExporter()
	if err := (kept{exporter}).ExportSpans(t.Context(), tracetest.SpanStubs{span}.Snapshots()); err != nil {
		t.Fatal(err)
	}
	got := exporter.GetSpans()[0]
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, mark) {
		t.Errorf("exported is %s", text)
	}
	if s := got.SpanContext.TraceState().String() + got.Parent.TraceState().String() + got.Links[0].SpanContext.TraceState().String(); s != "" {
		t.Errorf("a tracestate %q", s)
	}
	if len(got.Attributes) != 2 || got.Name != span.Name || got.SpanKind != span.SpanKind || got.Status.Code != codes.Error ||
		got.SpanContext.TraceID() != at.TraceID() || got.Parent.SpanID() != at.SpanID() || got.Links[0].SpanContext.SpanID() != at.SpanID() {
		t.Errorf("exported is %+v", got)
	}
}
