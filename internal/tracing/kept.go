package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

// kept exports of each span what may leave the process.
type kept struct{ trace.SpanExporter }

// ExportSpans implements trace.SpanExporter.
func (k kept) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	out := make([]trace.ReadOnlySpan, len(spans))
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
type bare struct{ trace.ReadOnlySpan }

// Attributes implements trace.ReadOnlySpan.
func (b bare) Attributes() (list []attribute.KeyValue) {
	for _, a := range b.ReadOnlySpan.Attributes() {
		if slices.Contains(attributes, a.Key) {
			list = append(list, a)
		}
	}
	return list
}

// Events implements trace.ReadOnlySpan: the events of a span are the texts of errors.
func (b bare) Events() []trace.Event { return nil }

// Status implements trace.ReadOnlySpan. Its description is the text of an error.
func (b bare) Status() trace.Status { return trace.Status{Code: b.ReadOnlySpan.Status().Code} }

// Links implements trace.ReadOnlySpan.
func (b bare) Links() (list []trace.Link) {
	for _, l := range b.ReadOnlySpan.Links() {
		list = append(list, trace.Link{SpanContext: l.SpanContext})
	}
	return list
}
