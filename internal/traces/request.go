package traces

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"sluice.dev/sluice/internal/clip"
)

// Answer is what became of a request.
type Answer struct {
	Operation string // by its name in the description; "" for none, of which nothing is sent
	Run       string // that it was about; "" for none
	Status    int
}

const (
	maxState   = 512 // bytes: it goes along with everything that comes of the request
	maxRunName = 128
)

// Request begins the span of a request, under the one that whoever asks names by W3C's headers. What it returns ends it. Its name is that
// of the operation: neither the path nor the headers are sent.
func (t *Traces) Request(r *http.Request) (*http.Request, func(Answer)) {
	if t == nil {
		return r, func(Answer) {}
	}
	named := propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
	if state := r.Header.Get("tracestate"); len(state) <= maxState {
		named["tracestate"] = state
	}
	ctx, span := t.tracer.Start(w3c.Extract(r.Context(), named), "request", trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), func(a Answer) {
		if a.Operation == "" {
			return // whoever asks for nothing crowds out no run
		}
		span.SetName(a.Operation)
		span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.Int("http.response.status_code", a.Status))
		if a.Run != "" {
			span.SetAttributes(attribute.String(attrRun, clip.Bytes(a.Run, maxRunName)))
		}
		if a.Status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(a.Status))
		}
		span.End()
	}
}
