package traces

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// InterceptActivity follows an attempt at an activity.
func (t *tracing) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	d := &doing{tracer: t.tracer}
	d.Next = next
	return d
}

type doing struct {
	interceptor.ActivityInboundInterceptorBase
	tracer trace.Tracer
}

// ExecuteActivity does the activity. One that a worker without traces has asked for leaves no span: it would stand alone.
func (d *doing) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	came := read(interceptor.Header(ctx))
	above := parent(came)
	if !above.IsValid() {
		return d.Next.ExecuteActivity(ctx, in)
	}
	info := activity.GetInfo(ctx)
	ctx, span := d.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, above), info.ActivityType.Name,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String(attrWorkflow, info.WorkflowExecution.ID), attribute.String(attrRunID, info.WorkflowExecution.RunID),
			attribute.String(attrActivity, info.ActivityID), attribute.Int(attrAttempt, int(info.Attempt)),
		))
	for _, a := range []struct{ key, as string }{{keyRun, attrRun}, {keyCluster, attrCluster}, {keyComponent, attrComponent}} {
		if value := came[a.key]; value != "" {
			span.SetAttributes(attribute.String(a.as, value))
		}
	}
	defer span.End()
	out, err := d.Next.ExecuteActivity(ctx, in)
	if unmet := unmetOf(out); unmet != "" {
		span.SetAttributes(attribute.String(attrUnmet, unmet))
	}
	mark(span, err)
	return out, err
}
