package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Workload is the check that looks at what workloads and their pods do.
type Workload struct {
	clock  clock.PassiveClock
	prober *probe.Prober
}

// NewWorkload returns a source of the kind workload. The prober asks webhooks that are named by a URL.
func NewWorkload(c clock.PassiveClock, p *probe.Prober) *Workload { return &Workload{c, p} }

// Bounds where a step names none.
const (
	defaultReadyWithin  = 5 * time.Minute
	defaultLeaderWithin = time.Minute
	lookAgain           = 5 * time.Second
)

// Ask looks once. What is only not there yet is waited for, for as long as the step says.
func (w *Workload) Ask(ctx context.Context, q Question) Finding {
	if q.Place == nil {
		return Finding{Verdict: api.Error, Message: "it is about no cluster, where there is a workload"}
	}
	pods, err := q.Place.Pods(ctx)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	l := &workloadLook{
		step: q.Step.Workload, place: q.Place, facts: q.Facts, pods: pods, now: w.clock.Now(), kept: readKeptWorkload(q.Kept),
		prober: w.prober, seen: map[string]any{},
	}
	if q.Began.IsZero() {
		q.Began = l.now
	}
	l.watched = l.now.Sub(q.Began)
	l.look(ctx)
	if ctx.Err() != nil {
		return Finding{Verdict: api.Error, Message: "it was not looked at to the end: " + context.Cause(ctx).Error()}
	}
	f := l.finding()
	f.Keep = l.kept.text()
	return f
}

// workloadLook is one measurement, and what is found in it.
type workloadLook struct {
	step    *pipelines.Workload
	place   *Place
	facts   rule.Facts
	pods    Pods
	now     time.Time
	watched time.Duration // since the step was measured first
	kept    *keptWorkload
	prober  *probe.Prober

	failed []string       // what is wrong
	broken []string       // what could not be looked at
	waits  []string       // what is not there yet, and may still come
	doubts []string       // what cannot be told, and will not be either
	seen   map[string]any // what the verdict rests on
}

func (l *workloadLook) look(ctx context.Context) {
	l.workloads(ctx)
	l.objects(ctx)
	l.readiness()
	l.restarts()
	l.waiting()
	l.events()
	l.leader(ctx)
	l.webhooks(ctx)
}

// finding is the verdict: what is wrong weighs most, what could not be looked at more than what may still come.
func (l *workloadLook) finding() Finding {
	f := Finding{Seen: l.seen, Results: map[string]any{"restarts": l.kept.restarts()}}
	switch {
	case len(l.failed) > 0:
		f.Verdict, f.Message = api.Failed, strings.Join(l.failed, "; ")
	case len(l.broken) > 0:
		f.Verdict, f.Message = api.Error, strings.Join(l.broken, "; ")
	case len(l.waits) > 0:
		f.Verdict, f.Message, f.Again = api.Inconclusive, strings.Join(l.waits, "; "), l.now.Add(lookAgain)
	case len(l.doubts) > 0:
		f.Verdict, f.Message = api.Inconclusive, strings.Join(l.doubts, "; ")
	default:
		f.Verdict = api.Passed
		f.Message = fmt.Sprintf("%d pods of the new revision, %d restarts", len(l.pods.New), l.kept.restarts())
		if n := l.kept.Flaps; n > 0 {
			f.Message += fmt.Sprintf("; pods lost their readiness again, %d times", n)
		}
	}
	return f
}

// workloads looks at what the workloads say of themselves. Pods alone are judged by readiness: in the midst of a rollout no workload
// is as it is to be.
func (l *workloadLook) workloads(ctx context.Context) {
	if l.place.Objects == nil || !l.step.NeedsReady() {
		return
	}
	objects, err := l.place.Objects(ctx)
	if err != nil {
		l.broken = append(l.broken, err.Error())
		return
	}
	for _, o := range objects {
		name := o.GetKind() + "/" + o.GetName()
		state, says := statusOf(o)
		switch {
		case state == stateFailed:
			l.failed = append(l.failed, name+" has failed: "+says)
		case behind(o):
			l.waitFor(l.watched, orElse(l.step.ReadyWithin, defaultReadyWithin), name+" has not been seen by its controller since it was changed")
		}
	}
}

// behind reports whether a controller has not seen an object as it is now: what its status says is about another one.
func behind(o *unstructured.Unstructured) bool {
	seen, found, err := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	return err == nil && found && seen < o.GetGeneration()
}

// waitFor notes what is not there yet; past its time it is wrong.
func (l *workloadLook) waitFor(since, within time.Duration, what string) {
	if since <= within {
		l.waits = append(l.waits, what)
		return
	}
	l.failed = append(l.failed, fmt.Sprintf("%s, for %s", what, pipelines.Duration(since.Truncate(time.Second))))
}
