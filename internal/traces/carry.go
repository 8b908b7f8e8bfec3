package traces

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// headerKey is where SDKs of Temporal put traces in the header of what they ask for.
const headerKey = "_tracer-data"

// Keys that are beside the traceparent and tracestate of W3C.
const (
	keyBegan     = "sluice-began" // when a run began that has continued as new
	keyRun       = "sluice-run"
	keyCluster   = "sluice-cluster"
	keyComponent = "sluice-component"
)

// w3c reads and writes traceparent and tracestate. Baggage is not handed on: it is anything that anybody says.
var w3c = propagation.TraceContext{}

// carried is what goes along with a workflow or an activity.
type carried = propagation.MapCarrier

// read is what came along; empty for nothing, and for what cannot be read.
func read(header map[string]*commonpb.Payload) carried {
	c := carried{}
	if p := header[headerKey]; p != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(p, &c)
	}
	return c
}

// write has c go along. It is no part of what a workflow asks for: replaying compares no headers.
func write(header map[string]*commonpb.Payload, c carried) {
	if header == nil || len(c) == 0 {
		return
	}
	if p, err := converter.GetDefaultDataConverter().ToPayload(c); err == nil {
		header[headerKey] = p
	}
}

// parent is the span under which what c came along with is done; it is not valid where there is none.
func parent(c carried) trace.SpanContext {
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), c))
}

// under is what goes along with what is asked for under a span.
func under(span trace.SpanContext) carried {
	c := carried{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), span), c)
	return c
}

// began is when a run began that has continued as new, else now.
func began(c carried, now time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, c[keyBegan]); err == nil {
		return t
	}
	return now
}
