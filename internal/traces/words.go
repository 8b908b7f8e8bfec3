package traces

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
)

// spans are what the spans of workflows are called, by their registered names.
var spans = map[string]string{
	api.RolloutName:        "run",
	api.StagePartName:      "part of a stage",
	api.ClusterRolloutName: "unit",
	api.LookName:           "look",
	api.PreviewName:        "preview",
	api.ReconcileName:      "reconcile",
	api.DrillWorkflowName:  "drill",
	api.SourceWorkflowName: "source",
}

// nameOf is what the span of a workflow is called.
func nameOf(workflow string) string {
	if name, known := spans[workflow]; known {
		return name
	}
	return workflow
}

// Attributes. Those of Temporal have the names that its SDKs give them.
const (
	attrRun       = "sluice.run"
	attrCluster   = "sluice.cluster"
	attrComponent = "sluice.component"
	attrPhase     = "sluice.phase"
	attrCancelled = "sluice.cancelled"
	attrAttempt   = "sluice.attempt"
	attrError     = "error.type"
	attrWorkflow  = "temporalWorkflowID"
	attrRunID     = "temporalRunID"
	attrActivity  = "temporalActivityID"
)

// shown are the search attributes that spans of workflows have, by the attribute's name.
var shown = []struct {
	as  string
	key temporal.SearchAttributeKeyKeyword
}{
	{attrComponent, temporal.NewSearchAttributeKeyKeyword(api.AttributeComponent)},
	{"sluice.version", temporal.NewSearchAttributeKeyKeyword(api.AttributeVersion)},
	{"sluice.pipeline", temporal.NewSearchAttributeKeyKeyword(api.AttributePipeline)},
	{"sluice.stage", temporal.NewSearchAttributeKeyKeyword(api.AttributeStage)},
	{"sluice.cluster_group", temporal.NewSearchAttributeKeyKeyword(api.AttributeGroup)},
	{attrCluster, temporal.NewSearchAttributeKeyKeyword(api.AttributeCluster)},
	{attrPhase, temporal.NewSearchAttributeKeyKeyword(api.AttributePhase)},
	{"sluice.plan", temporal.NewSearchAttributeKeyKeyword(api.AttributePlanHash)},
}

// shownOf are the search attributes of a workflow as they are now.
func shownOf(ctx workflow.Context) (all []attribute.KeyValue) {
	now := workflow.GetTypedSearchAttributes(ctx)
	for _, a := range shown {
		if value, ok := now.GetKeyword(a.key); ok && value != "" {
			all = append(all, attribute.String(a.as, value))
		}
	}
	return all
}

// maxKind bounds the kind of an error, which is a word.
const maxKind = 64

// mark says on a span how what it is about has ended. The text of an error stays where it is, in Temporal and the log: it may quote what
// was handed over.
func mark(span trace.Span, err error) {
	switch {
	case err == nil:
	case cancelled(err):
		span.SetAttributes(attribute.Bool(attrCancelled, true))
	default:
		kind := kindOf(err)
		span.SetAttributes(attribute.String(attrError, kind))
		span.SetStatus(codes.Error, kind)
	}
}

// cancelled reports whether an error says that somebody has ended it: that is no fault.
func cancelled(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, context.Canceled)
}

// kindOf is the type of an error, which is a fault's code or a phase where it comes from us.
func kindOf(err error) string {
	var ours *temporal.ApplicationError
	var late *temporal.TimeoutError
	switch {
	case errors.As(err, &ours) && ours.Type() != "":
		return clip.Bytes(ours.Type(), maxKind)
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "internal"
}
