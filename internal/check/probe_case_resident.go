package check

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/probing"
)

// sayAgain is how long past its interval a resident is waited for to say something of each of its targets: its agent writes once a minute.
const sayAgain = 90 * time.Second

// residents waits until each resident among the cases has said something since the measurement began, which nobody's clock tells, and
// takes what it says.
func (l *caseLook) residents(ctx context.Context) *Finding {
	for _, c := range l.cases {
		if c.config.Spec.Mode != probing.Resident {
			continue
		}
		now, err := l.later(ctx, c.config)
		if err != nil {
			return &Finding{Verdict: api.Error, Message: err.Error()}
		}
		c.targets = l.standing(c.config, now)
	}
	return nil
}

// later is the case once it has said something new, or its time to do so is over.
func (l *caseLook) later(ctx context.Context, before *probing.Config) (*probing.Config, error) {
	view := kube.Watch(l.question.Place.API, kube.Selection{
		Resource: probing.GroupVersion.WithResource("probeconfigs"), Namespace: before.Namespace,
		Filter: kube.Filter{Fields: "metadata.name=" + before.Name},
	}, decodeConfig)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return nil, err
	}
	over := l.clock.NewTimer(before.Spec.Schedule.Every.Duration + sayAgain)
	defer over.Stop()
	for {
		changed := view.Changed()
		now, there := view.Get(before.Namespace, before.Name)
		spoke := there && newest(now).After(newest(before))
		if !there || spoke && len(unsaid(before, now)) == 0 {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-changed:
		case <-over.C():
			if spoke {
				return now, nil
			}
			return nil, nil
		}
	}
}

// unsaid are the targets of which a resident has said nothing since it was as before. One that it has nothing to look at is none.
func unsaid(before, now *probing.Config) (targets []string) {
	since := newest(before)
	for _, t := range now.Status.Targets {
		if t.State != probing.Paused && !t.Last.After(since) {
			targets = append(targets, t.Target)
		}
	}
	return targets
}

// newest is when a case said something last.
func newest(c *probing.Config) (last time.Time) {
	for _, t := range c.Status.Targets {
		if t.Last.After(last) {
			last = t.Last.Time
		}
	}
	return last
}

// standing are the targets of a resident, as it says itself. Now is nil where it has said nothing.
func (l *caseLook) standing(before, now *probing.Config) (targets []*caseTarget) {
	if now == nil || len(now.Status.Targets) == 0 {
		return []*caseTarget{{ask: -1, verdict: api.Error, says: "the resident has said nothing since; is its agent at work?"}}
	}
	left := unsaid(before, now)
	for _, s := range now.Status.Targets {
		t := &caseTarget{name: s.Target, ask: -1, says: l.mask(s.Message), run: s.Run, before: l.failedBefore(before, s.Target)}
		switch {
		case slices.Contains(left, s.Target):
			t.verdict, t.says = api.Inconclusive, "it has said nothing of it since; it was "+string(s.State)
		case s.State == probing.Passing:
			t.verdict = api.Passed
		case s.State == probing.Failing:
			t.verdict = api.Failed
		case s.State == probing.Paused:
			t.verdict = api.Skipped
		default:
			t.verdict = api.Inconclusive
		}
		targets = append(targets, t)
	}
	return targets
}

func decodeConfig(o *unstructured.Unstructured, _ **probing.Config) *probing.Config {
	c := &probing.Config{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, c); err != nil {
		return &probing.Config{}
	}
	c.ManagedFields = nil
	return c
}
