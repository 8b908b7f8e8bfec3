package cluster

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
)

const (
	pulseMoving    = time.Second     // how soon an activity that moves pods hears that it is cancelled
	pulseShort     = 2 * time.Second // well below the heartbeat timeout, which an unanswered request must not use up
	toAnswer       = 3 * time.Second // what a short activity that takes too long has left to say why
	reachableEvery = 3 * time.Second
)

// pulseLooking is how soon an activity that only looks on hears that it is cancelled. Every heartbeat is a write to its run,
// and a stage may soak with hundreds of them, so that it is not a second; a rollback out of a soak waits for it, so that it is
// not a minute.
const pulseLooking = 5 * time.Second

// heart is how an activity's heartbeats reach the server.
type heart struct {
	beat   func(context.Context, step.Progress) error // one request; its error says what the server made of it
	within time.Duration                              // an attempt that was not answered for so long is lost
}

// heartOf sends heartbeats itself. The SDK sends them no more often than it lets one of them take, so that an activity that
// is to hear of a cancel within a second would be cancelled by a server that stalls for one.
func heartOf(ctx context.Context) heart {
	info, server := activity.GetInfo(ctx), activity.GetClient(ctx)
	return heart{
		// Once the whole timeout is over the server begins another attempt.
		within: cmp.Or(info.HeartbeatTimeout*8/10, time.Hour),
		beat: func(ctx context.Context, now step.Progress) error {
			return server.RecordActivityHeartbeat(ctx, info.TaskToken, now)
		},
	}
}

// asked reports whether somebody wants the activity to end. Its attempt still counts.
func asked(cause error) bool {
	return temporal.IsCanceledError(cause) || errors.Is(cause, activity.ErrActivityPaused) || errors.Is(cause, activity.ErrActivityReset)
}

// gone reports whether the server knows nothing of the attempt any more: it timed out, or its workflow has ended.
func gone(err error) bool {
	var unknown *serviceerror.NotFound
	var moved *serviceerror.NamespaceNotActive
	var removed *serviceerror.NamespaceNotFound
	return errors.As(err, &unknown) || errors.As(err, &moved) || errors.As(err, &removed)
}

// pulse heartbeats for an activity while it waits, so that it is known to be alive and hears when it is to end.
type pulse struct {
	heart heart
	end   func(cause error)
	mu    sync.Mutex
	last  step.Progress
	quit  context.CancelFunc
	over  sync.WaitGroup
}

// newPulse heartbeats from now on. The context that it returns ends with the activity's, and when the activity is to end.
func (a *Activities) newPulse(ctx context.Context, every time.Duration) (context.Context, *pulse) {
	own, end := context.WithCancelCause(ctx)
	hearts := a.hearts
	if hearts == nil {
		hearts = heartOf
	}
	p := &pulse{heart: hearts(ctx)}
	p.end = func(cause error) {
		end(cause)
		if asked(cause) && ctx.Err() == nil {
			activity.RecordHeartbeat(ctx, p.now()) // or the SDK, which does not know, would call the end a failure
		}
	}
	p.run(ctx, 0, every)
	return own, p
}

// run sends the first heartbeat after a time, and then one every so often, but so often that two may be lost. It goes on when
// the activity is cancelled: one that winds up is alive.
func (p *pulse) run(ctx context.Context, first, every time.Duration) {
	ctx, p.quit = context.WithCancel(context.WithoutCancel(ctx))
	heard, every := time.Now(), min(every, p.heart.within/3)
	p.over.Go(func() {
		for wait := first; pause(ctx, wait) == nil; wait = every {
			sent := time.Now()
			switch err := p.once(ctx, heard); {
			case err == nil:
				heard = sent
			case asked(err):
				heard = sent
				p.end(err)
			case ctx.Err() == nil && (gone(err) || time.Since(heard) >= p.heart.within):
				p.end(err)
			}
		}
	})
}

func (p *pulse) once(ctx context.Context, heard time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, heard.Add(p.heart.within))
	defer cancel()
	return p.heart.beat(ctx, p.now())
}

func (p *pulse) now() step.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// say makes progress known with the next heartbeat.
func (p *pulse) say(now step.Progress) {
	p.mu.Lock()
	p.last = now
	p.mu.Unlock()
}

func (p *pulse) stop() {
	p.quit()
	p.over.Wait()
	p.end(nil)
}

// steady lets a short activity heartbeat where it takes longer than usual, so that the death of its worker is noticed at
// once. Being asked to end does not interrupt it: it ends by itself, and nothing is left half done. An attempt that is lost
// does end: another one may have begun, and two must not write.
func steady[In, Out any](f func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) { return steadily(ctx, heartOf(ctx), f, in) }
}

func steadily[In, Out any](ctx context.Context, h heart, f func(context.Context, In) (Out, error), in In) (Out, error) {
	whole, cancel := context.WithDeadline(context.WithoutCancel(ctx), activity.GetInfo(ctx).Deadline.Add(-toAnswer))
	defer cancel()
	own, end := context.WithCancelCause(whole)
	beat := &pulse{heart: h, end: func(cause error) {
		if !asked(cause) {
			end(cause)
		}
	}}
	defer context.AfterFunc(ctx, func() { beat.end(context.Cause(ctx)) })()
	beat.run(whole, pulseShort, pulseShort)
	out, err := f(own, in)
	cause := context.Cause(own)
	beat.stop()
	if err != nil && cause != nil && !errors.Is(err, workload.ErrUnseen) {
		return out, cause // what a request that was cut off says may look like an answer
	}
	return out, err
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
