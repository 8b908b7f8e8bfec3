// Package pulse says for an activity that takes its time that it is alive and how far it has got, hears when it is to end, and
// counts for how long it does not get on. It knows nothing of what the activity does.
package pulse

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/step"
)

// Moving is how soon an activity that moves pods hears that it is cancelled.
const Moving = time.Second

// Looking is how soon an activity that only looks on hears that it is cancelled. Every heartbeat is a write to its run,
// and a stage may soak with hundreds of them, so that it is not a second; a rollback out of a soak waits for it, so that it is
// not a minute.
const Looking = 5 * time.Second

// Heart is how an activity's heartbeats reach the server.
type Heart struct {
	Beat   func(context.Context, step.Progress) error // one request; its error says what the server made of it
	Within time.Duration                              // an attempt that was not answered for so long is lost
}

// unheard is the Within of an activity that no timeout waits for.
const unheard = time.Hour

// HeartOf sends heartbeats itself. The SDK sends them no more often than it lets one of them take, so that an activity that
// is to hear of a cancel within a second would be cancelled by a server that stalls for one. Outside of Temporal nobody listens.
func HeartOf(ctx context.Context) Heart {
	if !activity.IsActivity(ctx) {
		return Heart{Within: unheard, Beat: func(context.Context, step.Progress) error { return nil }}
	}
	info, server := activity.GetInfo(ctx), activity.GetClient(ctx)
	return Heart{
		// Once the whole timeout is over the server begins another attempt.
		Within: cmp.Or(info.HeartbeatTimeout*8/10, unheard),
		Beat: func(ctx context.Context, now step.Progress) error {
			return server.RecordActivityHeartbeat(ctx, info.TaskToken, now)
		},
	}
}

// Before is what the attempt before this one said last; nothing where there was none.
func Before(ctx context.Context) (before step.Progress) {
	if !activity.IsActivity(ctx) || !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &before) != nil {
		return step.Progress{}
	}
	return before
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

// Pulse heartbeats for an activity while it waits, so that it is known to be alive and hears when it is to end.
type Pulse struct {
	clock clock.Clock
	heart Heart
	end   func(cause error)
	mu    sync.Mutex
	last  step.Progress
	quit  context.CancelFunc
	over  sync.WaitGroup
}

// Start heartbeats from now on. The context that it returns ends with the activity's, and when the activity is to end.
func Start(ctx context.Context, c clock.Clock, h Heart, every time.Duration) (context.Context, *Pulse) {
	own, end := context.WithCancelCause(ctx)
	p := &Pulse{clock: c, heart: h}
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
func (p *Pulse) run(ctx context.Context, first, every time.Duration) {
	ctx, p.quit = context.WithCancel(context.WithoutCancel(ctx))
	heard, every := p.clock.Now(), min(every, p.heart.Within/3)
	p.over.Go(func() {
		for wait := first; Pause(ctx, p.clock, wait) == nil; wait = every {
			sent := p.clock.Now()
			switch err := p.once(ctx, heard); {
			case err == nil:
				heard = sent
			case asked(err):
				heard = sent
				p.end(err)
			case ctx.Err() == nil && (gone(err) || p.clock.Since(heard) >= p.heart.Within):
				p.end(err)
			}
		}
	})
}

func (p *Pulse) once(ctx context.Context, heard time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, heard.Add(p.heart.Within))
	defer cancel()
	return p.heart.Beat(ctx, p.now())
}

func (p *Pulse) now() step.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Say makes progress known with the next heartbeat.
func (p *Pulse) Say(now step.Progress) {
	p.mu.Lock()
	p.last = now
	p.mu.Unlock()
}

// Stop sends no more heartbeats, and ends the context that Start returned.
func (p *Pulse) Stop() {
	p.quit()
	p.over.Wait()
	p.end(nil)
}

// Pause waits, or returns the context's error.
func Pause(ctx context.Context, c clock.Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C():
		return nil
	}
}
