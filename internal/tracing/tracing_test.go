package tracing

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unset has no setting of the machine's own count.
func unset(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED",
	} {
		t.Setenv(name, "")
	}
}

type next struct{ http.RoundTripper }

func (next) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Where nobody asks for traces, nothing stands between a request and its handler.
func TestNothingWhereNotAskedFor(t *testing.T) {
	for name, set := range map[string]map[string]string{
		"unset":       nil,
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
		"disabled":    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
	} {
		t.Run(name, func(t *testing.T) {
			unset(t)
			for variable, value := range set {
				t.Setenv(variable, value)
			}
			traces, err := Start(t.Context(), zerolog.Nop())
			if err != nil || traces != nil {
				t.Fatalf("started: %v, %v", traces, err)
			}
			n := next{}
			if traces.Handler(n) != http.Handler(n) || traces.Transport(n) != http.RoundTripper(n) || traces.Close(t.Context()) != nil {
				t.Error("something is between")
			}
		})
	}
}

// What is asked for is started, and what cannot be is refused by its name.
func TestStart(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		unset(t)
		t.Setenv(name, "http://127.0.0.1:1")
		traces, err := Start(t.Context(), zerolog.Nop())
		if err != nil || traces == nil {
			t.Fatalf("%s: %v, %v", name, traces, err)
		}
		if err := traces.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
	if _, err := Start(t.Context(), zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") {
		t.Errorf("grpc: %v", err)
	}
}
