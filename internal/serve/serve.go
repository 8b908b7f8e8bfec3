// Package serve makes functions into Temporal activities: registered under the name of what they do, with the fault code of an
// error as its type, by which workflows and retry policies tell errors apart. It does nothing else.
package serve

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// Registry is where activities are registered: a Temporal worker.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Handle has a function do an activity. Its errors are Coded.
func Handle[Req, Res any](r Registry, a step.Activity[Req, Res], do func(context.Context, Req) (Res, error)) {
	r.RegisterActivityWithOptions(Coded(do), activity.RegisterOptions{Name: a.Name()})
}

// Coded returns f with its errors as Temporal carries them. An error of a context that has ended stays as it is: it is
// how an activity says that it was cancelled.
func Coded[In, Out any](f func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := f(ctx, in)
		if err == nil || ctx.Err() != nil {
			return out, err
		}
		return out, temporal.NewApplicationErrorWithOptions(err.Error(), string(fault.CodeOf(err)), temporal.ApplicationErrorOptions{})
	}
}
