package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
)

// underWay is what an open unit has asked of the outside, as Temporal knows it: it is there while no worker is.
type underWay struct {
	progress *step.Progress // what its long activity said last; nil where it has said nothing
	counts   check.Tally    // of the background check that has most to be measured yet, of those that end; the zero value where none does
	counting string         // its step
	advises  []string       // what background checks that hold nothing have found
	waits    *waited        // what a check waits for; nil where none does
	retry    string         // what is tried again, how often it was, and what it said; "" for a first try
}

// progress reads what the long activity of a unit said last: heartbeats are seconds old where the unit's own status is
// as old as the batch.
func (e *Engine) progress(ctx context.Context, server *Server, workflow string) (step.Progress, bool) {
	under, ok := e.underWay(ctx, server, workflow)
	if !ok || under.progress == nil {
		return step.Progress{}, false
	}
	return *under.progress, true
}

func (e *Engine) underWay(ctx context.Context, server *Server, workflow string) (underWay, bool) {
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return underWay{}, false
	}
	var under underWay
	for _, a := range described.GetPendingActivities() {
		switch name := a.GetActivityType().GetName(); name {
		case step.Advance.Name(), step.Observe.Name(), step.Revert.Name():
			if p, ok := decodeProgress(server.values(), a.GetHeartbeatDetails()); ok && under.progress == nil {
				under.progress = &p
			}
		case step.Watch.Name():
			said := decodeTallies(server.values(), a.GetHeartbeatDetails())
			under.advises = append(under.advises, advice(said)...)
			under.count(said)
		case step.Ask.Name():
			if w, ok := decodeWaited(server.values(), a.GetHeartbeatDetails()); ok && under.waits == nil {
				under.waits = &w
			}
		}
		if under.retry == "" {
			under.retry = retried(server.values(), a)
		}
	}
	slices.Sort(under.advises)
	under.advises = slices.Compact(under.advises)
	return under, true
}

// count notes which of background checks has most to be measured yet.
func (u *underWay) count(all check.Tallies) {
	for step, t := range all {
		more, most := t.Of-t.Measured, u.counts.Of-u.counts.Measured
		if t.Of > 0 && t.Verdict == "" && (more > most || more == most && step < u.counting) {
			u.counting, u.counts = step, t
		}
	}
}

// retried says what an activity is tried again for.
func retried(by converter.DataConverter, a *workflowpb.PendingActivityInfo) string {
	failure := a.GetLastFailure()
	if a.GetAttempt() < 2 || failure == nil {
		return ""
	}
	converter.DecodeCommonFailureAttributes(by, failure)
	for failure.GetCause() != nil && failure.GetMessage() == "" {
		failure = failure.GetCause()
		converter.DecodeCommonFailureAttributes(by, failure)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(a.GetActivityType().GetName(), "cluster."), "ledger.")
	return fmt.Sprintf("%s, attempt %d, as the last one said: %s", name, a.GetAttempt(), failure.GetMessage())
}

// holder is the run that a unit's workflow belongs to; "" where it cannot be found out.
func (e *Engine) holder(ctx context.Context, server *Server, workflow string) string {
	ctx, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return ""
	}
	info := described.GetWorkflowExecutionInfo()
	if root := info.GetRootExecution().GetWorkflowId(); root != "" && root != workflow {
		return root
	}
	return info.GetParentExecution().GetWorkflowId()
}

func decodeProgress(by converter.DataConverter, details *commonpb.Payloads) (step.Progress, bool) {
	var p step.Progress
	if len(details.GetPayloads()) == 0 {
		return p, false
	}
	if err := by.FromPayloads(details, &p); err != nil {
		return p, false
	}
	return p, p.Total > 0 || p.Note != "" || p.Stuck != nil
}
