package cluster

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines/rule"
)

// watcher is what happens at every look of a long activity.
type watcher struct {
	a        *Activities
	req      step.AdvanceRequest
	h        held
	armed    bool
	beat     *pulse.Pulse
	end      context.CancelCauseFunc // of what is watched
	seen     api.Facts
	pace     *pulse.Pace
	jury     *check.Jury
	adjourn  context.CancelFunc // of the jury
	sighting sighting
	over     context.CancelFunc // of the vigil
}

// newWatcher heartbeats from now on; what it watches runs in the context that it returns.
func (a *Activities) newWatcher(ctx context.Context, req step.AdvanceRequest, armed bool) (context.Context, *watcher) {
	ctx, beat := a.beats(ctx, pulse.Moving)
	within, end := context.WithCancelCause(ctx)
	w := &watcher{a: a, req: req, armed: armed, beat: beat, end: end, pace: pulse.NewPace(req, pulse.Before(ctx), a.Clock.Now())}
	w.sit(ctx)
	vigil, over := context.WithCancel(ctx)
	w.over = over
	go w.keepVigil(vigil)
	return within, w
}

// sit judges until the activity ends, or the jury is adjourned.
func (w *watcher) sit(ctx context.Context) {
	ctx, w.adjourn = context.WithCancel(ctx)
	judge := func(facts rule.Facts) ([]api.Check, error) { return w.a.Checks.Judge(ctx, w.req.Checks, facts) }
	w.jury = check.NewJury(w.a.Clock, judge, func() { w.end(check.ErrNotPassed) })
}

func minReady(o *unstructured.Unstructured) time.Duration {
	if o == nil {
		return 0
	}
	seconds, _, _ := unstructured.NestedInt64(o.Object, "spec", "minReadySeconds")
	return time.Duration(seconds) * time.Second
}

// watch says what is watched, before its first look, and within which context.
func (w *watcher) watch(ctx context.Context, h held) {
	w.h = h
	context.AfterFunc(ctx, func() {
		// Where the driver's call ends for a verdict, or because it does not get on, the last facts are judged all the same.
		if cause := context.Cause(ctx); !errors.Is(cause, check.ErrNotPassed) && !errors.Is(cause, pulse.ErrStalled) {
			w.adjourn()
		}
	})
	w.pace.Waits(minReady(h.load.Spec.Target))
}

func (w *watcher) stop() {
	w.over()
	w.end(nil)
	w.adjourn()
	w.beat.Stop()
}

// keepVigil counts the time in which no look comes: a driver may wait for the workload's controller before its first.
func (w *watcher) keepVigil(ctx context.Context) {
	for pulse.Pause(ctx, w.a.Clock, pulse.VigilEvery) == nil {
		now, stalled := w.pace.Wait(w.a.Clock.Now())
		w.beat.Say(now)
		if stalled {
			w.end(pulse.ErrStalled)
			return
		}
	}
}

// look keeps what was seen, says it in the heartbeat and the ledger, and has it judged.
func (w *watcher) look(ctx context.Context, seen rule.Workload, batch rule.Batch) error {
	w.seen.Facts = complete(w.req, seen, batch)
	stalled := w.note(ctx, w.a.Clock.Now())
	err := w.jury.Hear(ctx, w.seen.Facts)
	if err != nil && !errors.Is(err, check.ErrNotPassed) {
		return err
	}
	if now := observation(w.req, w.seen.Facts, w.armed, w.a.Clock.Now()); w.sighting.due(now) {
		w.a.observe(ctx, now)
	}
	if err == nil && stalled {
		return pulse.ErrStalled
	}
	return err
}

// last waits for the last verdict, once nothing is looked at any more. One that did not pass is about the facts that it saw,
// which need not be the latest.
func (w *watcher) last() (bad bool) {
	w.over()
	judged, bad := w.jury.Rest()
	w.seen.Checks = judged.Checks
	if bad {
		w.seen.Facts = judged.Facts
	}
	return bad
}

// note says how far the batch is, and what keeps it where it is once it does not get on.
func (w *watcher) note(ctx context.Context, now time.Time) (stalled bool) {
	stands := w.pace.Stands(now)
	if w.seen.Stuck = nil; stands {
		// It is told to people. That it cannot be found out keeps nothing from moving.
		w.seen.Stuck, _ = w.h.driver.StuckPods(ctx, w.h.cluster, w.h.load.Spec, w.seen.Facts.Workload)
	}
	said, stalled := w.pace.Look(now, w.seen)
	w.beat.Say(said)
	return stalled
}
