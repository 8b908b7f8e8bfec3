package scenario

import (
	"context"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// measuring is checks that are measured from a time on. What a measurement finds is in the script; what is counted, borne and made of it
// is for internal/check to say, as in every worker.
type measuring struct {
	script  *script
	cluster string
	point   pipelines.Point
	facts   rule.Facts
	from    time.Duration // since the run began
}

// rules judges checks that are rules alone. They are evaluated once: nothing of what they say is borne.
func (m measuring) rules(checks []pipelines.ResolvedCheck) []api.Check {
	once := make([]pipelines.ResolvedCheck, len(checks))
	for i, c := range checks {
		c.Steps, c.Gates = stepsOf(c), nil
		for j := range c.Steps {
			c.Steps[j].ConsecutiveErrorLimit = new(0)
		}
		once[i] = c
	}
	_, found := m.ask(once)
	for i := range found {
		// A worker that is newer than this one may say anything.
		if v, message := m.script.verdict(found[i].Name, m.cluster, m.from); v == Unheard && found[i].Verdict == api.Error {
			found[i].Verdict, found[i].Message = v, message
		}
	}
	return found
}

// ask measures checks to their end, and returns how long that takes.
func (m measuring) ask(checks []pipelines.ResolvedCheck) (time.Duration, []api.Check) {
	scripted := make([]pipelines.ResolvedCheck, len(checks))
	for i, c := range checks {
		scripted[i] = asJobs(c, func(pipelines.ResolvedStep) bool { return true })
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	c := m.clock(end, MaxVirtual)
	found, err := m.with(c, checks, nil).Ask(ctx, check.Inquiry{Point: m.point, Checks: scripted, Facts: m.facts})
	took := c.now.Sub(m.script.starts) - m.from
	if err != nil {
		return took, nil // it is not known within the time of the scenario
	}
	return took, found
}

// watch measures checks beside each other until one that holds does not pass, or all that is to be measured is.
func (m measuring) watch(checks []pipelines.ResolvedCheck) (took time.Duration, found []api.Check) {
	took = 2 * MaxVirtual
	found = make([]api.Check, len(checks))
	var ends []watched
	for i, c := range checks {
		found[i] = api.Check{Name: c.Name, At: m.point, Advisory: c.Enforcement == pipelines.Advisory, Verdict: api.Passed}
		for _, s := range stepsOf(c) {
			one := m.watchStep(c, s)
			one.check = i
			ends = append(ends, one)
		}
	}
	last, all := time.Duration(0), true
	for _, s := range ends {
		all, last = all && s.ended, max(last, s.after)
		if s.ended && s.found.Verdict != api.Passed && !found[s.check].Advisory {
			took = min(took, s.after)
		}
	}
	if all {
		took = min(took, last)
	}
	for _, s := range ends {
		switch {
		case s.ended && s.after <= took && found[s.check].Verdict == api.Passed:
			found[s.check] = s.found
		case (!s.ended || s.after > took) && s.first > took && found[s.check].Verdict == api.Passed:
			found[s.check].Verdict, found[s.check].Message = api.Skipped, "had not passed once when another check ended the looks"
		}
	}
	return took, found
}

// watched is what becomes of one step that is measured in the background.
type watched struct {
	check int
	ended bool
	after time.Duration
	first time.Duration // at which it is measured first
	found api.Check
}

func (m measuring) watchStep(c pipelines.ResolvedCheck, s pipelines.ResolvedStep) (out watched) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	clock := m.clock(end, MaxVirtual)
	if s.InitialDelay != nil {
		out.first = s.InitialDelay.Std()
	}
	settled := func(at time.Duration, f check.Finding) {
		if s.Count == 0 && f.Verdict == api.Passed && at > m.script.last() {
			end() // it passes for ever
		}
	}
	only := asJobs(c, func(o pipelines.ResolvedStep) bool { return o.Name == s.Name })
	i := check.Inquiry{Point: m.point, Checks: []pipelines.ResolvedCheck{only}, Facts: m.facts}
	found, err := m.with(clock, []pipelines.ResolvedCheck{c}, settled).Watch(ctx, i)
	out.after, out.ended = clock.now.Sub(m.script.starts)-m.from, err == nil
	if out.ended {
		out.found = found[0]
	}
	return out
}

func (m measuring) clock(end context.CancelFunc, most time.Duration) *stepping {
	now := m.script.starts.Add(m.from)
	return &stepping{now: now, most: now.Add(most), end: end}
}

// with is a measurer to whom the script answers.
func (m measuring) with(c *stepping, checks []pipelines.ResolvedCheck, heard func(time.Duration, check.Finding)) *check.Measurer {
	return check.NewMeasurer(c, nil, check.Sources{"job": check.SourceFunc(func(ctx context.Context, q check.Question) check.Finding {
		at := c.now.Sub(m.script.starts)
		f := m.find(ctx, c, checks, q, at)
		if heard != nil {
			heard(at, f)
		}
		return f
	})})
}

// find is one measurement. Windows that the script does not speak of go by the scenario's time.
func (m measuring) find(
	ctx context.Context, c *stepping, checks []pipelines.ResolvedCheck, q check.Question, at time.Duration,
) check.Finding {
	name, _, _ := strings.Cut(q.Step.Name, "/")
	if !m.script.speaksOf(name) {
		for _, one := range checks {
			for _, s := range one.Steps {
				if s.Name == q.Step.Name && s.Window != nil {
					q.Step = s
					return check.Windows(c).Ask(ctx, q)
				}
			}
		}
	}
	verdict, message := m.script.verdict(name, m.cluster, at)
	return check.Finding{Verdict: verdict, Message: message}
}

// asJobs is a check with some of its steps, each of a kind for which only the script is asked.
func asJobs(c pipelines.ResolvedCheck, wanted func(pipelines.ResolvedStep) bool) pipelines.ResolvedCheck {
	steps := stepsOf(c)
	c.Gates, c.Steps = nil, nil
	for _, s := range steps {
		if wanted(s) {
			s.Timeout, s.StepKinds = nil, pipelines.StepKinds{Job: &pipelines.Job{}}
			c.Steps = append(c.Steps, s)
		}
	}
	return c
}

// stepsOf are the steps of a check, its rules among them.
func stepsOf(c pipelines.ResolvedCheck) []pipelines.ResolvedStep {
	steps := append([]pipelines.ResolvedStep{}, c.Steps...)
	for _, g := range c.Gates {
		steps = append(steps, pipelines.ResolvedStep{Name: g.Name})
	}
	return steps
}
