package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// What was said of a case before the measurement counts by times that the cluster itself has written: clocks of others have no say in
// what was before the change.

// fresh is a pass that counts instead of a run: of the case as it is now, young enough, and begun after the workloads were written and the
// pods of the new revision were ready. Where there are none it cannot be told, and nothing counts.
func (l *caseLook) fresh(c *probing.Config, target string) *probing.Run {
	changed := readySince(l.pods.New)
	if l.step.Freshness == nil || changed.IsZero() {
		return nil
	}
	if l.written.After(changed) {
		changed = l.written // the pods may be older than the change: not every one moves pods
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

// writtenLast is when the workloads of a place were written last, whoever did it; what says only how they are is no change.
func writtenLast(ctx context.Context, p *Place) (last time.Time, err error) {
	if p.Objects == nil {
		return last, nil
	}
	objects, err := p.Objects(ctx)
	for _, o := range objects {
		for _, f := range o.GetManagedFields() {
			if f.Subresource == "" && f.Time != nil && f.Time.After(last) {
				last = f.Time.Time
			}
		}
	}
	return last, err
}

// failedBefore says why a case is known to have failed before the first pod of the new revision was made; "" where it is not. What a check
// of the same attempt has seen since is not from before.
func (l *caseLook) failedBefore(c *probing.Config, target string) string {
	began := madeSince(l.pods.New)
	seen := l.witness(c, target)
	for _, t := range c.Status.Targets {
		if t.Target == target && t.State == probing.Failing && (began.IsZero() || t.Since.Time.Before(began)) && !seen.before(t.Since.Time) {
			return fmt.Sprintf("it fails since %s", t.Since.UTC().Format(time.RFC3339))
		}
	}
	for _, run := range l.made {
		if l.isOwn(run) || !isOf(run, c, target) || !hasLooked(run) {
			continue
		}
		if !began.IsZero() && !run.CreationTimestamp.Time.Before(began) || seen.covers(run) {
			continue
		}
		if run.Status.Result.Verdict == api.Failed {
			return "it failed in " + run.Name
		}
		return ""
	}
	return ""
}

// witness is a run by which an earlier check of the same attempt at the unit has looked at a case; nil where there is none.
type witness struct{ *probing.Run }

// witness is the first of them that tells where the change begins: a pass, or whatever was found once it had come.
func (l *caseLook) witness(c *probing.Config, target string) witness {
	for _, run := range slices.Backward(l.made) {
		if l.isOwn(run) || !isOf(run, c, target) || !hasLooked(run) || !l.ofThisUnit(run) {
			continue
		}
		if run.Status.Result.Verdict == api.Passed || !madeAt(run, pipelines.BeforeCluster) && !madeAt(run, pipelines.BeforeBatch) {
			return witness{run}
		}
	}
	return witness{}
}

// before reports whether the witness had looked before something began, by the clock of the prober, which writes both.
func (w witness) before(began time.Time) bool {
	if w.Run == nil {
		return false
	}
	looked := w.Status.Started
	if w.Status.Result.Verdict == api.Passed {
		looked = w.Status.Ended
	}
	if looked == nil {
		looked = &w.CreationTimestamp
	}
	return !began.Before(looked.Time)
}

// covers reports whether a run says nothing of what was before, given the witness: it was made later, or is the witness, and did not pass.
func (w witness) covers(run *probing.Run) bool {
	if w.Run == nil {
		return false
	}
	if run.UID == w.UID && run.Name == w.Name {
		return run.Status.Result.Verdict != api.Passed
	}
	return run.CreationTimestamp.After(w.CreationTimestamp.Time)
}

// isOwn reports whether a run was made by this measurement.
func (l *caseLook) isOwn(run *probing.Run) bool {
	return run.Spec.Cause.Kind == probing.ByGate && run.Spec.Cause.Key == l.question.Key
}

// ofThisUnit reports whether a run was made by a check of the same attempt at the same unit: its cause has the key of a Question, in which
// the execution of the unit stands before the activity and the point.
func (l *caseLook) ofThisUnit(run *probing.Run) bool {
	head, _, _ := strings.Cut(l.question.Key, "/"+string(l.question.Point)+"/")
	parts := strings.Split(head, "/")
	if len(parts) < 4 || run.Spec.Cause.Kind != probing.ByGate {
		return false
	}
	return strings.HasPrefix(run.Spec.Cause.Key, parts[0]+"/") && strings.Contains(run.Spec.Cause.Key, "/"+parts[len(parts)-2]+"/")
}

// madeAt reports whether a run was made by a check at a point: its cause has the key of a Question.
func madeAt(run *probing.Run, p pipelines.Point) bool {
	return strings.Contains(run.Spec.Cause.Key, "/"+string(p)+"/")
}

// hasLooked reports whether a run is over, and has seen whether what it looks at is well.
func hasLooked(run *probing.Run) bool {
	r := run.Status.Result
	return run.Status.Phase == probing.RunDone && r != nil && (r.Verdict == api.Passed || r.Verdict == api.Failed)
}

// otherThan says that what has run is not the case as it was when it was asked; "" where it is. Whoever brings cases is looked at by them
// as well, and an agent may be behind what was brought.
func otherThan(c *probing.Config, version string) string {
	if version == "" || version == c.Spec.Version {
		return ""
	}
	return fmt.Sprintf("version %s of the case ran, and the check is about %s", version, c.Spec.Version)
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
