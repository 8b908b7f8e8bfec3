package check

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
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
		if why := c.config.Status.Problem; why != "" {
			c.targets = []*caseTarget{{ask: -1, verdict: api.Error, says: l.mask(why)}}
			continue
		}
		heard, err := l.later(ctx, c.config)
		if err != nil {
			return &Finding{Verdict: api.Error, Message: "waited for " + c.config.Name + " to say something: " + err.Error()}
		}
		c.targets = l.standing(c.config, heard)
	}
	return nil
}

// speech is what a resident has said since it was asked.
type speech struct {
	now   *probing.Config // nil where it has said nothing
	gone  bool            // its case is not there any more
	other string          // why what it says is not about the case as it is
}

// later is what a resident says once it has said something new of each of its targets, or its time to do so is over.
func (l *caseLook) later(ctx context.Context, before *probing.Config) (speech, error) {
	view := kube.Watch(l.question.Place.API, kube.Selection{
		Resource: probing.GroupVersion.WithResource("probeconfigs"), Namespace: before.Namespace,
		Filter: kube.Filter{Fields: "metadata.name=" + before.Name},
	}, decodeConfig)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return speech{}, err
	}
	over := l.clock.NewTimer(before.Spec.Schedule.Every.Duration + sayAgain)
	defer over.Stop()
	for {
		changed := view.Changed()
		now, there := view.Get(before.Namespace, before.Name)
		if !there || now.UID != before.UID {
			return speech{gone: true}, nil
		}
		var h speech
		if newest(now).After(newest(before)) {
			other, err := l.saidByOther(ctx, now)
			if err != nil {
				return h, err
			}
			if h = (speech{now: now, other: other}); other == "" && len(unsaid(before, now)) == 0 {
				return h, nil
			}
		}
		select {
		case <-ctx.Done():
			return h, context.Cause(ctx)
		case <-changed:
		case <-over.C():
			return h, nil
		}
	}
}

// saidByOther says why what a resident says is not about its case as it is now; "" where it is. Where a case has changed the pod of what it
// was goes on until the next one speaks.
func (l *caseLook) saidByOther(ctx context.Context, now *probing.Config) (string, error) {
	runs, err := caserun.Made(ctx, l.question.Place.API)
	if err != nil {
		return "", err
	}
	version := map[string]string{}
	for _, r := range runs {
		if r.Namespace == now.Namespace {
			version[r.Name] = r.Status.Version
		}
	}
	for _, t := range now.Status.Targets {
		if other := otherThan(now, version[t.Run]); other != "" && t.State != probing.Paused {
			return other, nil
		}
	}
	return "", nil
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

// standing are the targets of a resident, as it says itself.
func (l *caseLook) standing(before *probing.Config, h speech) (targets []*caseTarget) {
	none := ""
	switch {
	case h.gone:
		none = "its case was taken away while it was waited for"
	case h.now == nil || len(h.now.Status.Targets) == 0:
		none = "the resident has said nothing since; is its agent at work?"
	case h.other != "":
		return []*caseTarget{{ask: -1, verdict: api.Inconclusive, says: h.other}}
	}
	if none != "" {
		return []*caseTarget{{ask: -1, verdict: api.Error, says: none}}
	}
	left := unsaid(before, h.now)
	for _, s := range h.now.Status.Targets {
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
