// Package sources holds the activities by which repositories are followed. Each is idempotent: what is planned, started, said or told once
// more is the same as before.
package sources

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
)

// beatEvery is well below the heartbeat timeout of an activity that waits for others.
const beatEvery = 5 * time.Second

// showWithin is how long a request may take to be planned and shown.
const showWithin = 10 * time.Minute

// Follower follows sources, a step at a time. The engine does.
type Follower interface {
	LookAtSource(ctx context.Context, in api.SourceLook) (api.SourceLooked, error)
	FollowSource(ctx context.Context, in api.SourceFollow) (api.SourceFollowed, error)
	ShowRequest(ctx context.Context, in api.SourceShow) (api.SourceRequest, error)
	TendSource(ctx context.Context, in api.SourceTend) (api.SourceTended, error)
}

// Activities follow sources. All fields are required.
type Activities struct {
	Follower Follower
	Clock    clock.WithTicker
}

// Register has sources followed here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.LookAtSource, a.Look)
	serve.Handle(r, step.FollowSource, a.Follow)
	serve.Handle(r, step.ShowRequest, a.Show)
	serve.Handle(r, step.TendSource, a.Tend)
}

// Look says where a repository is.
func (a *Activities) Look(ctx context.Context, in api.SourceLook) (api.SourceLooked, error) {
	defer serve.Alive(ctx, a.Clock, beatEvery)()
	return a.Follower.LookAtSource(ctx, in)
}

// Follow says what came of a commit.
func (a *Activities) Follow(ctx context.Context, in api.SourceFollow) (api.SourceFollowed, error) {
	defer serve.Alive(ctx, a.Clock, beatEvery)()
	return a.Follower.FollowSource(ctx, in)
}

// Show says what was shown of a request. One whose templates do not come to an end is left after a while, and is not tried again before it
// has another head: a template cannot be stopped, and whoever proposes one may be anybody.
func (a *Activities) Show(ctx context.Context, in api.SourceShow) (api.SourceRequest, error) {
	defer serve.Alive(ctx, a.Clock, beatEvery)()
	type answer struct {
		request api.SourceRequest
		err     error
	}
	shown := make(chan answer, 1)
	within, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		request, err := a.Follower.ShowRequest(within, in)
		shown <- answer{request, err}
	}()
	over := a.Clock.NewTimer(showWithin)
	defer over.Stop()
	select {
	case got := <-shown:
		return got.request, got.err
	case <-over.C():
		left := in.Request
		left.Says, left.Error = "it was left: to plan it takes longer than "+showWithin.String(), ""
		return left, nil
	case <-ctx.Done():
		return in.Request, ctx.Err()
	}
}

// Tend says what waits and is open then.
func (a *Activities) Tend(ctx context.Context, in api.SourceTend) (api.SourceTended, error) {
	defer serve.Alive(ctx, a.Clock, beatEvery)()
	return a.Follower.TendSource(ctx, in)
}
