// Package following has each Source that is kept be followed: where no workflow does that, it is started, whoever applied the Source and
// whatever became of the one before. It decides nothing about what is followed.
package following

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/rounds"
	"sluice.dev/sluice/pipelines"
)

// Ledger is the part of a ledger that is needed.
type Ledger interface {
	ListKept(ctx context.Context, kind string) ([]ledger.Kept, error)
}

// Workflows is the part of a Temporal client that starts workflows.
type Workflows interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// Keeper sees to it. All fields are required.
type Keeper struct {
	Ledger   Ledger
	Temporal Workflows
	Queue    string // of the installation's central workers
	Clock    clock.WithTicker
}

// every is how long a Source may be kept before somebody follows it.
const every = 10 * time.Second

// Keep looks again and again until ctx ends.
func (k *Keeper) Keep(ctx context.Context, log *slog.Logger) {
	rounds.Keep(ctx, k.Clock, every, rounds.Trying(log, "cannot have sources followed", k.Look))
}

// Look starts what is not there. One that cannot be started keeps no other from it.
func (k *Keeper) Look(ctx context.Context) error {
	all, err := k.Ledger.ListKept(ctx, pipelines.KindSource)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range all {
		_, err := k.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: api.SourceWorkflowID(k.Queue, s.Name), TaskQueue: k.Queue, StaticSummary: "follow " + s.Name,
			WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}, api.SourceWorkflowName, api.SourceInput{Source: s.Name})
		if err != nil {
			errs = append(errs, fmt.Errorf("source %s: %w", s.Name, err))
		}
	}
	return errors.Join(errs[:min(len(errs), 3)]...)
}
