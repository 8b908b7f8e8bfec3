package caserun

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/probing"
)

// Runner has cases run. It is safe for concurrent use.
type Runner struct {
	Clock clock.Clock
}

// Run makes a ProbeRun for each Ask where it is not there yet, and waits until all are over, or those that are tell enough. The ends
// are in the order of what was asked, also beside an error. A context that ends leaves the runs alone, and is the error; others are those
// of kube.Cluster. Begun hears, where it is not nil, what is waited for, once all are made.
func (r *Runner) Run(
	ctx context.Context, c *kube.Cluster, asks []Ask, enough func([]End) bool, begun func([]End),
) ([]End, error) {
	ends := make([]End, len(asks))
	for i, a := range asks {
		ends[i] = End{Ask: a}
	}
	if len(asks) == 0 { // also where a cluster serves no probes at all
		return ends, nil
	}
	view := watch(c)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return ends, err
	}
	for i := range ends {
		if err := begin(ctx, c, view, &ends[i]); err != nil {
			return ends, err
		}
	}
	if begun != nil {
		begun(ends)
	}
	w := &wait{runner: r, cluster: c, view: view, ends: ends, began: make([]time.Time, len(ends))}
	w.made = r.Clock.Now()
	return ends, w.until(ctx, enough)
}

// begin makes the run of one Ask, or finds it.
func begin(ctx context.Context, c *kube.Cluster, view *kube.View[*probing.Run], e *End) error {
	namespace, name := e.Config.Namespace, e.Name()
	run, there := view.Get(namespace, name)
	if !there {
		want, err := object(e.Ask)
		if err != nil {
			return err
		}
		stored, err := c.Create(ctx, want)
		if fault.CodeOf(err) == fault.Conflict {
			stored, err = c.Get(ctx, kindOf(probing.KindRun), namespace, name)
		}
		if err != nil {
			return err
		}
		if err := view.WaitFor(ctx, types.NamespacedName{Namespace: namespace, Name: name}, stored.GetResourceVersion()); err != nil {
			return err
		}
		run = decode(stored, nil)
	}
	e.ID = string(run.UID)
	if s := run.Spec; s.Case != e.Config.Name || s.Target != e.Target || s.Cause.Kind != e.Cause.Kind || s.Cause.Key != e.Cause.Key {
		e.Why = fault.New(fault.Conflict, "ProbeRun %s/%s was made for something else", namespace, name)
	}
	return nil
}

// wait is the waiting for some runs.
type wait struct {
	runner  *Runner
	cluster *kube.Cluster
	view    *kube.View[*probing.Run]
	ends    []End
	made    time.Time   // when all were there
	began   []time.Time // when each was first seen to run
	busy    time.Time   // when somebody was last seen to run any run of the cluster
}

func (w *wait) until(ctx context.Context, enough func([]End) bool) error {
	for {
		changed := w.view.Changed()
		since, gone := w.view.Err()
		left := time.Second
		if gone == nil {
			if w.look(); w.over() || enough(w.ends) {
				return nil
			}
		} else if left = outage - w.runner.Clock.Since(since); left <= 0 {
			return fault.Wrap(fault.Unreachable, gone, "cannot watch probe runs of cluster %s for %s", w.cluster.Context(), outage)
		}
		again := w.runner.Clock.NewTimer(left)
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-changed:
		case <-again.C():
		}
		again.Stop()
	}
}

func (w *wait) over() bool {
	for _, e := range w.ends {
		if !e.Over() {
			return false
		}
	}
	return true
}

// look takes in what the view shows.
func (w *wait) look() {
	now := w.runner.Clock.Now()
	for _, run := range w.view.All() {
		if s := run.Status; s.Phase == probing.RunRunning && (s.Deadline == nil || now.Before(s.Deadline.Add(grace))) {
			w.busy = now
			break
		}
	}
	for i := range w.ends {
		if !w.ends[i].Over() {
			w.one(i, now)
		}
	}
}

// one looks at one run that is not over yet.
func (w *wait) one(i int, now time.Time) {
	e := &w.ends[i]
	run, there := w.view.Get(e.Config.Namespace, e.Name())
	what := "ProbeRun " + e.Config.Namespace + "/" + e.Name()
	switch {
	case !there || string(run.UID) != e.ID:
		e.Why = fault.New(fault.NotFound, "%s was deleted before it had ended", what)
	case run.Status.Phase == probing.RunDone && run.Status.Result == nil:
		e.Why = fault.New(fault.Internal, "%s has ended without a result", what)
	case run.Status.Phase == probing.RunDone:
		e.Node, e.Version, e.Result = run.Status.Node, run.Status.Version, run.Status.Result
	case run.Status.Phase == probing.RunPending:
		switch idle := now.Sub(later(w.made, w.busy)); {
		case idle >= Served:
			e.Why = fault.New(fault.Unreachable, "nobody has taken up %s within %s: no `sluice agent --probes` serves probes in cluster %s",
				what, Served, w.cluster.Context())
		case now.Sub(w.made) >= queued:
			e.Why = fault.New(fault.Unreachable, "%s has waited %s behind others, and was not begun", what, queued)
		}
	default:
		e.Begun = true
		if w.began[i].IsZero() {
			w.began[i] = now
		}
		if late := e.Config.Spec.Timeout.Duration + grace; now.Sub(w.began[i]) >= late {
			e.Why = fault.New(fault.Unreachable, "%s has run for %s, and nobody says what came of it: its agent may be gone", what, late)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
