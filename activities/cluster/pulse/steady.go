package pulse

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/workload"
)

const (
	short    = 2 * time.Second // well below the heartbeat timeout, which an unanswered request must not use up
	toAnswer = 3 * time.Second // what a short activity that takes too long has left to say why
)

// Steady lets a short activity heartbeat where it takes longer than usual, so that the death of its worker is noticed at
// once. Being asked to end does not interrupt it: it ends by itself, and nothing is left half done. An attempt that is lost
// does end: another one may have begun, and two must not write.
func Steady[In, Out any](c clock.Clock, f func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) { return steadily(ctx, c, HeartOf(ctx), f, in) }
}

func steadily[In, Out any](
	ctx context.Context, c clock.Clock, h Heart, f func(context.Context, In) (Out, error), in In,
) (Out, error) {
	whole, cancel := context.WithDeadline(context.WithoutCancel(ctx), activity.GetInfo(ctx).Deadline.Add(-toAnswer))
	defer cancel()
	own, end := context.WithCancelCause(whole)
	beat := &Pulse{clock: c, heart: h, end: func(cause error) {
		if !asked(cause) {
			end(cause)
		}
	}}
	defer context.AfterFunc(ctx, func() { beat.end(context.Cause(ctx)) })()
	beat.run(whole, short, short)
	out, err := f(own, in)
	cause := context.Cause(own)
	beat.Stop()
	if err != nil && cause != nil && !errors.Is(err, workload.ErrUnseen) {
		return out, cause // what a request that was cut off says may look like an answer
	}
	return out, err
}
