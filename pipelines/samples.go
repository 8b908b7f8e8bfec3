package pipelines

import (
	"math"
	"slices"
	"time"
)

// DefaultInterval is the time between two measurements of a step that names none.
const DefaultInterval = 15 * time.Second

// AtLeast is the same with no fewer measurements than n, whatever would be enough otherwise.
func (r Repeat) AtLeast(n int) Repeat {
	r.Count = max(r.Count, n)
	if r.ConsecutiveSuccessLimit > 0 {
		r.ConsecutiveSuccessLimit = max(r.ConsecutiveSuccessLimit, n)
	}
	return r
}

// Every is the time between two measurements.
func (r Repeat) Every() time.Duration {
	if r.Interval == nil {
		return DefaultInterval
	}
	return r.Interval.Std()
}

// Takes is the least time in which the measurements of a step are made that all pass.
func (r Repeat) Takes() time.Duration {
	made := max(r.Count, 1)
	if enough := r.ConsecutiveSuccessLimit; enough > 0 {
		made = min(made, enough)
	}
	var takes time.Duration
	if r.InitialDelay != nil {
		takes = r.InitialDelay.Std()
	}
	between := time.Duration(made - 1)
	if every := r.Every(); between > 0 && every > (math.MaxInt64-takes)/between {
		return math.MaxInt64
	}
	return takes + between*r.Every()
}

// Sampled are checks of which every step is measured no less often than n times.
func Sampled(all []ResolvedCheck, n int) []ResolvedCheck {
	all = slices.Clone(all)
	for i := range all {
		all[i].Steps = slices.Clone(all[i].Steps)
		for j := range all[i].Steps {
			all[i].Steps[j].Repeat = all[i].Steps[j].AtLeast(n)
		}
	}
	return all
}

// Slowest is the step whose measurements take the longest; false where there is none.
func Slowest(all []ResolvedCheck) (slowest ResolvedStep, found bool) {
	for _, c := range all {
		for _, s := range c.Steps {
			if !found || s.Takes() > slowest.Takes() {
				slowest, found = s, true
			}
		}
	}
	return slowest, found
}

// samples checks that what a batch of a stage has to wait for can be measured, and within a time that a soak may take.
func (l *linter) samples(p *Pipeline, s *Stage, stage, defaults spot) {
	rules := p.EffectiveRules(s)
	n, at := rules.Soak.Batch.MinSamples, defaults
	if n == 0 {
		return
	}
	if s.Soak != nil && s.Soak.Batch != nil && s.Soak.Batch.MinSamples > 0 {
		at = stage
	}
	at = at.at("soak", "batch", "minSamples")
	looks := false
	for i := range rules.Checks {
		c := &rules.Checks[i]
		if !slices.Contains(c.points(), During) {
			continue
		}
		spec, known := l.specOf(c)
		looks = looks || !known || spec != nil && !spec.onlyRules()
		if spec == nil || spec.onlyRules() {
			continue
		}
		for _, step := range spec.Steps {
			if takes := step.AtLeast(n).Takes(); takes > maxWait {
				l.report.addAt(at, "in stage %s %s/%s takes %s at the least for %d measurements, at most %s is allowed",
					s.Name, c.name(), step.Name, Duration(takes), n, Duration(maxWait))
			}
		}
	}
	if !looks {
		l.report.addAt(at, "minSamples: nothing is measured in the background of stage %s: "+
			"a check that is more than rules, at: [during], would be", s.Name)
	}
}

// specOf is the task that a check runs, nil for a gate; false where that is reported elsewhere.
func (l *linter) specOf(c *Check) (*TaskSpec, bool) {
	if c.TaskRef == nil {
		return c.TaskSpec, c.TaskSpec != nil || c.Gate != nil
	}
	task, ok := l.all.Tasks[c.TaskRef.Name]
	if !ok {
		return nil, false
	}
	return &task.Spec, true
}
