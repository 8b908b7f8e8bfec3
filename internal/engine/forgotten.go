package engine

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// runNamed is a run by its name. Of one that the ledger has forgotten, and that Temporal executes for this installation all the same, the
// fault.NotFound says so.
func (e *Engine) runNamed(ctx context.Context, run string) (ledger.Run, error) {
	known, err := e.ledger.Run(ctx, run)
	if fault.CodeOf(err) != fault.NotFound {
		return known, err
	}
	within, stop := context.WithTimeout(ctx, e.options.Query)
	defer stop()
	if server, _, failed := e.serverAndQueue(within); failed == nil {
		if there, ours, failed := e.executes(within, server, run); failed == nil && there && ours {
			return known, fault.New(fault.NotFound, "cannot find run %s: namespace %s at %s executes it, and the ledger has forgotten it, "+
				"since it was restored from an older backup; end its workflow there, and what it has moved stays",
				run, server.Namespace, server.Address)
		}
	}
	return known, err
}

// remembered refuses where Temporal executes a run of a component that the ledger has forgotten: which clusters that one moves, nobody
// can tell.
func (e *Engine) remembered(ctx context.Context, subject api.Subject) error {
	server, err := e.Server(ctx)
	if err != nil {
		return err
	}
	last, err := e.lastNumber(ctx, subject)
	if err != nil {
		return err
	}
	for number := last + 1; number <= last+mostTaken; number++ {
		name := ledger.RunName(subject, number)
		there, ours, err := e.executes(ctx, server, name)
		if err != nil || !there {
			return err
		}
		if ours {
			// Whoever has just named it may be quicker than we are.
			if _, err := e.ledger.Run(ctx, name); fault.CodeOf(err) != fault.NotFound {
				return err
			}
			return fault.New(fault.Refused, "namespace %s at %s executes %s, and the ledger has forgotten it, since it was restored from an "+
				"older backup; end its workflow there first, and what it has moved stays", server.Namespace, server.Address, name)
		}
	}
	return nil // there are too many, and whoever names the run says so
}

// executes reports whether Temporal knows a workflow, and whether it is an open one of this installation.
func (e *Engine) executes(ctx context.Context, server *Server, workflow string) (there, ours bool, err error) {
	queue, err := e.queue(ctx)
	if err != nil {
		return false, false, err
	}
	described, err := server.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return false, false, nil
	}
	if err != nil {
		return false, false, e.temporalFault(err, "cannot see whether %s is open at %s", workflow, server.Address)
	}
	info := described.GetWorkflowExecutionInfo()
	return true, info.GetTaskQueue() == queue && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
