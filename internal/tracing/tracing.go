package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rs/zerolog"
)

// Tracing exports traces, or does nothing: the nil Tracing is valid.
type Tracing struct{ provider *sdktrace.TracerProvider }

// serviceName is what traces say they come from, unless OTEL_SERVICE_NAME is set.
const serviceName = "realtime-gw"

// Start makes a Tracing of the environment, or nil if that asks for none. Its errors
// are those of the settings. log gets it when traces cannot be exported.
func Start(ctx context.Context, log zerolog.Logger) (*Tracing, error) {
	if !wanted() {
		return nil, nil
	}
	for _, name := range [...]string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" && protocol != "http/protobuf" {
			return nil, fmt.Errorf("%s is %q: only http/protobuf is spoken, usually on port 4318", name, protocol)
		}
	}
	exporter, err := otlptracehttp.New(ctx) // reads its settings from the environment
	if err != nil {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: traces cannot be exported there: give the base URL of a collector, such as http://collector:4318")
	}
	origin, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", serviceName)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES is not a list of name=value")
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn().Err(err).Msg("traces were not exported")
	}))
	return &Tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(kept{exporter}), sdktrace.WithResource(origin))}, nil
}

// wanted says whether the environment asks for traces.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Close exports what is left, until ctx ends.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

func (t *Tracing) options() []otelhttp.Option {
	return []otelhttp.Option{
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}),
	}
}

// Handler makes a span of each request that next serves, and has the request's log
// lines name its trace. next is a router that sets the request's pattern.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		span := trace.SpanFromContext(r.Context())
		zerolog.Ctx(r.Context()).UpdateContext(func(c zerolog.Context) zerolog.Context {
			return c.Stringer("trace_id", span.SpanContext().TraceID())
		})
		defer func() { // also when the handler cuts the connection
			if r.Pattern != "" {
				span.SetAttributes(attribute.String("http.route", r.Pattern))
			}
		}()
		next.ServeHTTP(w, r)
	})
	return otelhttp.NewHandler(routed, "", append(t.options(),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			return strings.TrimSpace("request " + r.Pattern)
		}))...)
}

// Transport makes a span of each request that next sends.
func (t *Tracing) Transport(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return otelhttp.NewTransport(next, append(t.options(),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return callName(r) }))...)
}

// callName is what an upstream is asked for, as far as everybody may know it.
func callName(r *http.Request) string {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/v1/shape"):
		return "upstream"
	case strings.Contains(r.URL.RawQuery, "&live=true"):
		return "upstream wait"
	}
	return "upstream read"
}
