package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
)

// parent carries the traceparent header, and nothing else that W3C's trace context
// knows: a tracestate can hold any text.
type parent struct{ propagation.TraceContext }

// Extract implements propagation.TextMapPropagator.
func (p parent) Extract(ctx context.Context, from propagation.TextMapCarrier) context.Context {
	only := propagation.HeaderCarrier(http.Header{})
	only.Set("traceparent", from.Get("traceparent"))
	return p.TraceContext.Extract(ctx, only)
}
