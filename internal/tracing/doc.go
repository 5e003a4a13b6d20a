// Package tracing exports what requests do as OpenTelemetry traces, where the
// environment says so: OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.
// Where neither is set there is no exporter, no provider and no instrumentation: a
// handler and a transport come back as they were.
//
// A request is a span, named after its route. The reads of upstreams that it makes are
// spans below it. Held calls are shared by many requests and belong to none: each
// is a trace of its own.
//
// Instrumentation for HTTP records what it sees, and it sees tokens, tags and ids: in
// URLs, in headers, in the texts of errors. So what leaves the process is made anew of
// what may leave it (kept): the list of attributes, the span's kind and status, its name,
// which is made here. Whatever a library records tomorrow stays inside unless it is put
// on the list.
//
// Requests come from the internet. A trace that one says it belongs to is linked to and
// not joined, so that nobody decides from outside what is sampled. Its tracestate, which
// can hold any text, goes no further.
package tracing
