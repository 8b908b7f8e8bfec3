package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Temporal bounds how many commands a run has in flight, and how many it is given in all. What it says where there are too many names
// updates, which is how commands reach a run.
const limitOn = "limit on "

// sayTooMany has a server's word that a run has too many commands in flight come through at once. The SDK would ask again until its
// caller has gone, and say that nobody answered.
func sayTooMany(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, conn, opts...)
	said := status.Convert(err)
	if method == workflowservice.WorkflowService_UpdateWorkflowExecution_FullMethodName &&
		said.Code() == codes.ResourceExhausted && strings.Contains(said.Message(), limitOn) {
		return status.Error(codes.FailedPrecondition, said.Message())
	}
	return err
}

// flooded reports whether a run did not hear a command since it is given too many.
func flooded(err error) bool {
	var full *serviceerror.FailedPrecondition
	return errors.As(err, &full) && strings.Contains(strings.ToLower(full.Message), limitOn)
}

const (
	floodPatience = 2 * time.Second        // for how long a command waits until the run has room for it
	floodEvery    = 100 * time.Millisecond // how often it asks
)

// squeeze gives a run a command for which it has no room. What ends a run or takes it back has a way in that no flood blocks: it stands
// in the run's history. Everything else waits for a moment, and is refused then.
func (e *Engine) squeeze(ctx context.Context, run string, o api.StandingOrder) (api.Answer, error) {
	why := fault.New(fault.Conflict, "more commands are given to it than Temporal lets a run take")
	if !o.Command.DryRun && (o.Name == api.UpdateAbort || o.Name == api.UpdateRollback) {
		return e.leave(ctx, run, o, why)
	}
	until := e.options.Clock.Now().Add(floodPatience)
	for e.options.Clock.Now().Before(until) {
		select {
		case <-ctx.Done():
			return api.Answer{}, ctx.Err()
		case <-e.options.Clock.After(floodEvery):
		}
		answer, err := e.update(ctx, run, o)
		if !flooded(err) {
			return answer, err
		}
	}
	return api.Answer{}, fault.New(fault.Conflict, "cannot %s %s: %s; try again later, abort and rollback get through",
		spelled(o.Name), run, why.Error())
}
