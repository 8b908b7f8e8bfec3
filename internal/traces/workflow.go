package traces

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// tracing has what Temporal is asked for, and what is done for it, leave spans.
type tracing struct {
	interceptor.InterceptorBase
	tracer trace.Tracer
}

// InterceptWorkflow follows an execution of a workflow.
func (t *tracing) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	i := &inbound{execution: &execution{tracer: t.tracer}}
	i.Next = next
	return i
}

// execution is the span of a workflow while a worker has it. It is begun anew, and the same, wherever a worker takes the workflow up.
type execution struct {
	tracer trace.Tracer
	span   trace.Span // nil before the workflow has begun
	began  time.Time
	along  carried // with its activities and children
	parent trace.SpanContext
}

// begin begins the span of a workflow, which is one however often it continues as new.
func (e *execution) begin(ctx workflow.Context) {
	info := workflow.GetInfo(ctx)
	came := read(interceptor.WorkflowHeader(ctx))
	e.parent, e.began = parent(came), began(came, info.WorkflowStartTime)
	above := trace.ContextWithSpanContext(context.Background(), e.parent)
	_, e.span = e.tracer.Start(ofWorkflow(info.WorkflowExecution.ID, info.FirstRunID).with(above), nameOf(info.WorkflowType.Name),
		trace.WithTimestamp(e.began), trace.WithSpanKind(trace.SpanKindConsumer))
	e.along = under(e.span.SpanContext())
	if run := runOf(info); run != "" {
		e.along[keyRun] = run
	}
}

// runOf is the run that a workflow works for, by its name; "" where it is for none.
func runOf(info *workflow.Info) string {
	switch info.WorkflowType.Name {
	case api.RolloutName, api.StagePartName, api.ClusterRolloutName, api.LookName:
	default:
		return ""
	}
	if root := info.RootWorkflowExecution; root != nil {
		return root.ID
	}
	return info.WorkflowExecution.ID
}

// send has the span go along with what the workflow asks for.
func (e *execution) send(ctx workflow.Context) {
	if e.span == nil {
		return
	}
	write(interceptor.WorkflowHeader(ctx), e.along)
}

// about is send, with what an activity is about.
func (e *execution) about(ctx workflow.Context) {
	if e.span == nil {
		return
	}
	for _, a := range shownOf(ctx) {
		switch a.Key {
		case attrCluster:
			e.along[keyCluster] = a.Value.AsString()
		case attrComponent:
			e.along[keyComponent] = a.Value.AsString()
		}
	}
	e.send(ctx)
}

// end ends the span where the workflow has: not where it goes on as a new execution, and not where that is only replayed.
func (e *execution) end(ctx workflow.Context, err error) {
	if workflow.IsReplaying(ctx) || workflow.IsContinueAsNewError(err) {
		return
	}
	info := workflow.GetInfo(ctx)
	e.span.SetAttributes(shownOf(ctx)...)
	if run := runOf(info); run != "" {
		e.span.SetAttributes(attribute.String(attrRun, run))
	}
	e.span.SetAttributes(
		attribute.String(attrWorkflow, info.WorkflowExecution.ID),
		attribute.String(attrRunID, info.WorkflowExecution.RunID),
	)
	mark(e.span, err)
	e.span.End(trace.WithTimestamp(workflow.Now(ctx)))
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	*execution
}

// Init has what the workflow asks for pass by.
func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	o := &outbound{execution: i.execution}
	o.Next = next
	return i.Next.Init(o)
}

// ExecuteWorkflow runs the workflow. Where a worker lets go of it before its end, nothing after the call is done.
func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	i.begin(ctx)
	out, err := i.Next.ExecuteWorkflow(ctx, in)
	i.end(ctx, err)
	return out, err
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	*execution
}

// ExecuteActivity asks for an activity.
func (o *outbound) ExecuteActivity(ctx workflow.Context, activity string, args ...any) workflow.Future {
	o.about(ctx)
	return o.Next.ExecuteActivity(ctx, activity, args...)
}

// ExecuteLocalActivity asks for an activity of this process.
func (o *outbound) ExecuteLocalActivity(ctx workflow.Context, activity string, args ...any) workflow.Future {
	o.about(ctx)
	return o.Next.ExecuteLocalActivity(ctx, activity, args...)
}

// ExecuteChildWorkflow asks for a child.
func (o *outbound) ExecuteChildWorkflow(ctx workflow.Context, child string, args ...any) workflow.ChildWorkflowFuture {
	o.send(ctx)
	return o.Next.ExecuteChildWorkflow(ctx, child, args...)
}

// NewContinueAsNewError has the next execution be the same span.
func (o *outbound) NewContinueAsNewError(ctx workflow.Context, next any, args ...any) error {
	if o.span != nil {
		along := carried{keyBegan: o.began.UTC().Format(time.RFC3339Nano)}
		if o.parent.IsValid() {
			for k, v := range under(o.parent) {
				along[k] = v
			}
		}
		write(interceptor.WorkflowHeader(ctx), along)
	}
	return o.Next.NewContinueAsNewError(ctx, next, args...)
}
