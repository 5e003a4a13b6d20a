package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// kept exports of each span what may leave the process.
type kept struct{ sdktrace.SpanExporter }

// ExportSpans implements sdktrace.SpanExporter.
func (k kept) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	out := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		out[i] = bare{span}
	}
	return k.SpanExporter.ExportSpans(ctx, out)
}

// attributes are those that leave the process. None has a value that a client chose,
// nor one of a URL.
var attributes = []attribute.Key{
	"http.request.method", // a known one, or _OTHER
	"http.response.status_code",
	"http.response.body.size",
	"http.route",
	"network.protocol.version",
	"error.type", // a status, or the name of an error's type in Go
}

// bare is a span without what must not leave.
type bare struct{ sdktrace.ReadOnlySpan }

// Attributes implements sdktrace.ReadOnlySpan.
func (b bare) Attributes() (list []attribute.KeyValue) {
	for _, a := range b.ReadOnlySpan.Attributes() {
		if slices.Contains(attributes, a.Key) {
			list = append(list, a)
		}
	}
	return list
}

// Events implements sdktrace.ReadOnlySpan: the events of a span are the texts of errors.
func (b bare) Events() []sdktrace.Event { return nil }

// Status implements sdktrace.ReadOnlySpan. Its description is the text of an error.
func (b bare) Status() sdktrace.Status { return sdktrace.Status{Code: b.ReadOnlySpan.Status().Code} }

// Links implements sdktrace.ReadOnlySpan.
func (b bare) Links() (list []sdktrace.Link) {
	for _, l := range b.ReadOnlySpan.Links() {
		list = append(list, sdktrace.Link{SpanContext: stateless(l.SpanContext)})
	}
	return list
}

// SpanContext implements sdktrace.ReadOnlySpan.
func (b bare) SpanContext() trace.SpanContext { return stateless(b.ReadOnlySpan.SpanContext()) }

// Parent implements sdktrace.ReadOnlySpan.
func (b bare) Parent() trace.SpanContext { return stateless(b.ReadOnlySpan.Parent()) }

// stateless is a span's identity without a tracestate, which is any text.
func stateless(c trace.SpanContext) trace.SpanContext { return c.WithTraceState(trace.TraceState{}) }
