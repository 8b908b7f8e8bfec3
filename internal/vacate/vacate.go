// Package vacate gives back the permits of the dead: of units whose workflow has closed, or is gone, without having given theirs back.
// It decides nothing about who enters.
package vacate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/rounds"
)

// Ledger is the part of a ledger that is needed.
type Ledger interface {
	ListPermits(ctx context.Context) ([]permit.Permit, error)
	Leave(ctx context.Context, run, cluster string, at time.Time) error
}

// Workflows is the part of a Temporal client that says whether a workflow is open.
type Workflows interface {
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Vacater looks for the dead. All fields are required.
type Vacater struct {
	Ledger   Ledger
	Temporal Workflows
	Clock    clock.WithTicker
}

const (
	every = 15 * time.Second
	// settled is how long a permit stays whatever its holder does: one that closes gives it back by itself.
	settled = time.Minute
)

// Keep looks again and again until ctx ends.
func (v *Vacater) Keep(ctx context.Context, log *slog.Logger) {
	rounds.Keep(ctx, v.Clock, every, rounds.Trying(log, "cannot tell which permits are those of the dead", v.Look))
}

// Look gives back what the dead have. One of whom nobody can tell keeps his, and keeps no other from being looked at.
func (v *Vacater) Look(ctx context.Context) error {
	all, err := v.Ledger.ListPermits(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		if v.Clock.Since(p.Seen) < settled {
			continue
		}
		alive, err := v.alive(ctx, p.Holder)
		if err == nil && !alive {
			err = v.Ledger.Leave(ctx, p.Run, p.Cluster, p.Holder.At)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s of run %s: %w", p.Cluster, p.Run, err))
		}
	}
	return errors.Join(errs[:min(len(errs), 3)]...)
}

// alive reports whether a holder's workflow is open.
func (v *Vacater) alive(ctx context.Context, h permit.Holder) (bool, error) {
	found, err := v.Temporal.DescribeWorkflowExecution(ctx, h.Workflow, h.Execution)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return found.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
