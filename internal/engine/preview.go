package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/plan"
)

// preview looks at every cluster of a plan, through workers, and returns what was seen, with its digest.
func (e *Engine) preview(ctx context.Context, p *plan.Plan, hash string) (*plan.Live, string, error) {
	in := api.PreviewInput{Plan: hash, Subject: p.Subject}
	for _, u := range p.AllUnits() {
		in.Clusters = append(in.Clusters, api.PreviewUnit{Cluster: u.Cluster, Context: u.Context, Site: u.Site})
	}
	cannot := fmt.Sprintf("cannot look at the clusters of plan %.12s", hash)
	run, err := e.begin(ctx, errand{
		name: api.PreviewName, in: in, id: fmt.Sprintf("preview/%.12s", hash),
		says: fmt.Sprintf("%s %s: what would change", p.Subject, p.Version),
	}, cannot)
	if err != nil {
		return nil, "", err
	}
	if err := e.await(ctx, run, nil); err != nil {
		return nil, "", fault.Wrap(fault.CodeOf(err), err, "%s", cannot)
	}
	stored, err := e.ledger.Plan(ctx, hash)
	if err != nil {
		return nil, "", err
	}
	if stored.Live == "" {
		return nil, "", fault.New(fault.Internal,
			"cannot find what was seen for plan %.12s: do the worker and this command use the same ledger?", hash)
	}
	live := &plan.Live{}
	return live, stored.Live, e.read(ctx, stored.Live, live)
}

// pollerAge is how long ago a worker that is alive may have asked for work: its long poll lasts a minute.
const pollerAge = 90 * time.Second

// queue is the task queue of this ledger's workers.
func (e *Engine) queue(ctx context.Context) (string, error) {
	installation, err := e.ledger.Installation(ctx)
	return api.Queue(installation), err
}

// served returns an error where no worker polls the central task queue.
func (e *Engine) served(ctx context.Context) error {
	server, err := e.Server(ctx)
	if err != nil {
		return err
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return err
	}
	described, err := server.Temporal.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return e.temporalFault(err, "cannot look for workers at task queue %s", queue)
	}
	for _, p := range described.GetPollers() {
		if e.options.Clock.Since(p.GetLastAccessTime().AsTime()) < pollerAge {
			return nil
		}
	}
	return fault.New(fault.Unreachable,
		"no worker answers on task queue %s of namespace %s at %s; start one on the same ledger with: %s worker",
		queue, server.Namespace, server.Address, e.options.Program)
}

// temporalFault gives an error of Temporal its code, and nil for nil.
func (e *Engine) temporalFault(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(codeOf(err), cause(err), format, args...)
}

func codeOf(err error) fault.Code {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		if code := fault.Code(app.Type()); code.Known() {
			return code
		}
		return fault.Internal
	}
	var (
		unavailable *serviceerror.Unavailable
		deadline    *serviceerror.DeadlineExceeded
		missing     *serviceerror.NotFound
		namespace   *serviceerror.NamespaceNotFound
		denied      *serviceerror.PermissionDenied
		argument    *serviceerror.InvalidArgument
		started     *serviceerror.WorkflowExecutionAlreadyStarted
	)
	switch {
	case errors.Is(err, payload.ErrUnread):
		return fault.Invalid
	case errors.As(err, &unavailable), errors.As(err, &deadline), errors.Is(err, context.DeadlineExceeded):
		return fault.Unreachable
	case errors.As(err, &missing), errors.As(err, &namespace):
		return fault.NotFound
	case errors.As(err, &denied):
		return fault.Unauthorized
	case errors.As(err, &argument):
		return fault.Invalid
	case errors.As(err, &started):
		return fault.Conflict
	}
	return fault.CodeOf(err)
}

// cause is what an activity or a validator said, without the layers that Temporal puts around it.
func cause(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return errors.New(app.Message())
	}
	return err
}
