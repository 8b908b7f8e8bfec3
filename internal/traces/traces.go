// Package traces sends what a worker and a server do to a collector of OpenTelemetry, as spans: a run is one trace, from the request that
// began it to the activities in its clusters. It says names, phases and kinds of errors, and never what was handed over. It decides
// nothing, keeps nobody waiting, and changes nothing that workflows ask of Temporal.
package traces

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
)

// Variables of OpenTelemetry that are read here. Its SDK reads the others of its specification.
const (
	endpointOfAll    = "OTEL_EXPORTER_OTLP_ENDPOINT"
	endpointOfTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocolOfAll    = "OTEL_EXPORTER_OTLP_PROTOCOL"
	protocolOfTraces = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	exporter         = "OTEL_TRACES_EXPORTER"
	disabled         = "OTEL_SDK_DISABLED"
)

// endsWithin is how long a process that ends waits for a collector to take its last spans.
const endsWithin = 3 * time.Second

// Options say who sends.
type Options struct {
	Service string // what it is called where OTEL_SERVICE_NAME does not say
	Version string
	Getenv  func(string) string
	Clock   clock.PassiveClock
	Logger  *slog.Logger // hears, now and then, that spans are not taken
}

// Traces are those of one process. It is safe for concurrent use. A nil one is that of a process which sends nothing: it has no
// connection and no goroutine.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	endpoint string
}

// Open returns the traces of a process, as the environment has it; nil where that names no endpoint. It connects to nobody. What cannot
// be meant is fault.Invalid.
func Open(ctx context.Context, o Options) (*Traces, error) {
	endpoint, err := endpoint(o.Getenv)
	if endpoint == "" || err != nil {
		return nil, err
	}
	otel.SetErrorHandler(newComplaints(o.Clock, o.Logger)) // the SDK knows one for the process
	client, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot send traces to %s", endpoint)
	}
	who, err := resource.New(ctx,
		resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", o.Service), attribute.String("service.version", o.Version)),
		resource.WithFromEnv(),
	)
	if err != nil {
		otel.Handle(err) // what can be said is
	}
	t := &Traces{endpoint: endpoint, provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(client), sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(who),
	)}
	t.tracer = t.provider.Tracer("sluice.dev/sluice", trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

// endpoint is where the environment has traces be sent, without what it may say about who sends; "" for nowhere.
func endpoint(getenv func(string) string) (string, error) {
	name, text := endpointOfTraces, strings.TrimSpace(getenv(endpointOfTraces))
	if text == "" {
		name, text = endpointOfAll, strings.TrimSpace(getenv(endpointOfAll))
	}
	by := getenv(exporter)
	if text == "" || strings.EqualFold(getenv(disabled), "true") || by == "none" {
		return "", nil
	}
	if by != "" && by != "otlp" {
		return "", fault.New(fault.Invalid, "cannot send traces by the exporter %.40q: there is otlp", by)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fault.New(fault.Invalid, "cannot send traces: %s is no URL of http or https", name)
	}
	protocol := getenv(protocolOfTraces)
	if protocol == "" {
		protocol = getenv(protocolOfAll)
	}
	switch protocol {
	case "", "http/protobuf", "http/json":
		return u.Redacted(), nil
	}
	return "", fault.New(fault.Invalid, "cannot send traces by %.40q: http/protobuf and http/json can be spoken", protocol)
}

// Endpoint is where spans are sent; "" for nowhere.
func (t *Traces) Endpoint() string {
	if t == nil {
		return ""
	}
	return t.endpoint
}

// Interceptors have a client of Temporal, and the workers that are made of it, leave spans.
func (t *Traces) Interceptors() []interceptor.ClientInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.ClientInterceptor{&tracing{tracer: t.tracer}}
}

// Close sends what has not been sent, for some seconds at most.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), endsWithin)
	defer stop()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}
