package check

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// What was said of a case before the measurement counts by times that the cluster itself has written: clocks of others have no say in
// what was before the change.

// fresh is a pass that counts instead of a run: of the case as it is now, young enough, and begun after the pods of the new revision
// were ready. Where there are none it cannot be told, and nothing counts.
func (l *caseLook) fresh(c *probing.Config, target string) *probing.Run {
	changed := readySince(l.pods.New)
	if l.step.Freshness == nil || changed.IsZero() {
		return nil
	}
	oldest := l.clock.Now().Add(-l.step.Freshness.Std())
	for _, run := range l.made {
		s := run.Status
		switch {
		case !isOf(run, c, target) || s.Phase != probing.RunDone:
			continue
		case s.Result == nil || s.Result.Verdict != api.Passed || s.Version != c.Spec.Version:
			return nil // the latest counts, and nothing behind it
		case !run.CreationTimestamp.After(changed) || run.CreationTimestamp.Time.Before(oldest):
			return nil
		}
		return run
	}
	return nil
}

// failedBefore says why a case is known to have failed before the first pod of the new revision was made; "" where it is not.
func (l *caseLook) failedBefore(c *probing.Config, target string) string {
	began := madeSince(l.pods.New)
	for _, t := range c.Status.Targets {
		if t.Target == target && t.State == probing.Failing && (began.IsZero() || t.Since.Time.Before(began)) {
			return fmt.Sprintf("it fails since %s", t.Since.UTC().Format(time.RFC3339))
		}
	}
	for _, run := range l.made {
		own := run.Spec.Cause.Kind == probing.ByGate && run.Spec.Cause.Key == l.question.Key
		if own || !isOf(run, c, target) || run.Status.Phase != probing.RunDone || run.Status.Result == nil {
			continue
		}
		if !began.IsZero() && !run.CreationTimestamp.Time.Before(began) {
			continue
		}
		switch run.Status.Result.Verdict {
		case api.Failed:
			return "it failed in " + run.Name
		case api.Passed:
			return ""
		}
	}
	return ""
}

// isOf reports whether a run is of a case, for a target.
func isOf(run *probing.Run, c *probing.Config, target string) bool {
	return run.Namespace == c.Namespace && run.Spec.Case == c.Name && run.Spec.Target == target
}

// madeSince is when the first of some pods was made; zero where there is none.
func madeSince(pods []*corev1.Pod) (first time.Time) {
	for _, p := range pods {
		if first.IsZero() || p.CreationTimestamp.Time.Before(first) {
			first = p.CreationTimestamp.Time
		}
	}
	return first
}

// readySince is since when all of some pods are made, and ready; zero where there is none.
func readySince(pods []*corev1.Pod) (last time.Time) {
	for _, p := range pods {
		if p.CreationTimestamp.After(last) {
			last = p.CreationTimestamp.Time
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.LastTransitionTime.After(last) {
				last = c.LastTransitionTime.Time
			}
		}
	}
	return last
}
