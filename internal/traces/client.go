package traces

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// InterceptClient follows what is asked of Temporal: starts of workflows, and commands to runs. Looks at runs leave nothing, nor do the
// signals by which they hear of freezes: there are very many.
func (t *tracing) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	a := &asking{tracer: t.tracer}
	a.Next = next
	return a
}

type asking struct {
	interceptor.ClientOutboundInterceptorBase
	tracer trace.Tracer
}

// ExecuteWorkflow starts a workflow, whose span is under that of the start.
func (a *asking) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	ctx, span := a.tracer.Start(ctx, "start "+nameOf(in.WorkflowType),
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attribute.String(attrWorkflow, in.Options.ID)))
	defer span.End()
	write(interceptor.Header(ctx), under(span.SpanContext()))
	run, err := a.Next.ExecuteWorkflow(ctx, in)
	mark(span, err)
	return run, err
}

// UpdateWorkflow gives a run a command. It is under the request that gave it, and not in the trace of the run.
func (a *asking) UpdateWorkflow(ctx context.Context, in *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	ctx, span := a.tracer.Start(ctx, "tell "+in.UpdateName,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String(attrRun, in.WorkflowID)))
	defer span.End()
	handle, err := a.Next.UpdateWorkflow(ctx, in)
	mark(span, err)
	return handle, err
}
