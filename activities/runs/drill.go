package runs

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/serve"
)

// looksEvery is how often the run of a drill is looked at.
const looksEvery = 2 * time.Second

// Drills begins, judges and ends drills, a look at a time. The engine does.
type Drills interface {
	// BeginDrill starts the run of a drill; the one that it has started, where it is asked again.
	BeginDrill(ctx context.Context, t api.DrillTime) (api.Drilled, error)
	// JudgeDrill tells what the run has proven so far.
	JudgeDrill(ctx context.Context, id string) (d api.Drilled, done bool, err error)
	// EndDrill has the bad version taken back, and tells whether it is.
	EndDrill(ctx context.Context, id string) (d api.Drilled, done bool, err error)
}

// BeginDrill begins a drill, as soon as that can be told from its not being possible.
func (a *Activities) BeginDrill(ctx context.Context, t api.DrillTime) (api.Drilled, error) {
	return a.looking(ctx, func(ctx context.Context) (api.Drilled, bool, error) {
		d, err := a.Drills.BeginDrill(ctx, t)
		return d, true, err
	})
}

// JudgeDrill returns when the run of a drill was stopped, or has to be.
func (a *Activities) JudgeDrill(ctx context.Context, id string) (api.Drilled, error) {
	return a.looking(ctx, func(ctx context.Context) (api.Drilled, bool, error) { return a.Drills.JudgeDrill(ctx, id) })
}

// EndDrill returns when the bad version is nowhere, or nobody could take it back.
func (a *Activities) EndDrill(ctx context.Context, id string) (api.Drilled, error) {
	return a.looking(ctx, func(ctx context.Context) (api.Drilled, bool, error) { return a.Drills.EndDrill(ctx, id) })
}

// looking looks again and again until it is done. What cannot be asked now is asked again.
func (a *Activities) looking(ctx context.Context, look func(context.Context) (api.Drilled, bool, error)) (api.Drilled, error) {
	stop := serve.Alive(ctx, a.Clock, beatEvery)
	defer stop()
	every := a.Clock.NewTicker(looksEvery)
	defer every.Stop()
	for {
		d, done, err := look(ctx)
		if err != nil && fault.CodeOf(err) == fault.Unreachable {
			err = fault.Wrap(fault.Internal, err, "cannot go on with the drill yet")
		}
		if err != nil || done {
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-every.C():
		}
	}
}
