package policy

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines"
)

// checks are kept where one that holds what does not pass runs at each point that is named.
func (j *judge) checks() {
	for i := range j.spec.Checks {
		f := &j.spec.Checks[i]
		j.atPoints("checks", f.At, checkText(f), func(c *pipelines.ResolvedCheck) string { return lacks(c, f) })
	}
}

// windows are kept where a step keeps each at each of its points.
func (j *judge) windows() {
	for i := range j.spec.Windows {
		f := &j.spec.Windows[i]
		j.atPoints("windows", f.Points(), "window "+windowText(&f.Window), func(c *pipelines.ResolvedCheck) string {
			why := absent
			for _, s := range c.Steps {
				if s.Window == nil {
					continue
				}
				if why = departs(c, s, &f.Window); why == "" {
					why = toothless(c, &s)
				}
				if why == "" {
					return ""
				}
			}
			return why
		})
	}
}

// absent is what is wrong with a check that has nothing of what is wanted.
const absent = "absent"

// atPoints holds the checks of every stage, and those of the run, against one that is wanted at some points; at any where there are
// none. Why says what is wrong with a check, "" where it is as wanted.
func (j *judge) atPoints(rule string, points []pipelines.Point, wanted string, why func(*pipelines.ResolvedCheck) string) {
	inStage := slices.DeleteFunc(slices.Clone(points), pipelines.Point.OfRun)
	for _, s := range j.stages {
		if len(points) == 0 {
			j.noted(rule, s.Name, wanted, holds(slices.Concat(s.Rules.Checks, j.Plan.Checks), "", why))
		}
		for _, p := range inStage {
			j.noted(rule, s.Name, wanted+" at "+string(p), holds(s.Rules.Checks, p, why))
		}
	}
	for _, p := range points {
		if p.OfRun() {
			j.noted(rule, "", wanted+" at "+string(p), holds(j.Plan.Checks, p, why))
		}
	}
}

func (j *judge) noted(rule, stage, wanted, found string) {
	if found != "" {
		j.broken(rule, stage, wanted, "%s", found)
	}
}

// holds is "" where one of some checks is as wanted at a point, else what is wrong with the one that comes nearest.
func holds(checks []pipelines.ResolvedCheck, at pipelines.Point, why func(*pipelines.ResolvedCheck) string) string {
	nearest := "no such check"
	for i := range checks {
		c := &checks[i]
		found := why(c)
		if found == "" && at != "" && !c.RunsAt(at) {
			found = fmt.Sprintf("%s, at %s only", c.Name, points(c.At))
		}
		if found == "" && at == pipelines.During && looksOnce(c) {
			found = c.Name + ", which looks once"
		}
		if found == "" {
			return ""
		}
		if found != absent {
			nearest = found
		}
	}
	return nearest
}

// looksOnce reports whether a check is over before anything has happened beside it.
func looksOnce(c *pipelines.ResolvedCheck) bool {
	more := func(s pipelines.ResolvedStep) bool { return s.Count != 1 }
	return len(c.Steps) > 0 && len(c.Gates) == 0 && !slices.ContainsFunc(c.Steps, more)
}

// lacks says what a check lacks of one that is wanted.
func lacks(c *pipelines.ResolvedCheck, f *pipelines.CheckFloor) string {
	if f.Task != "" && c.Task != f.Task {
		return absent
	}
	if len(f.Steps) == 0 {
		return toothless(c, nil)
	}
	if c.Gates != nil && slices.Contains(f.Steps, "gate") {
		return toothless(c, nil)
	}
	why := absent
	for i := range c.Steps {
		if !slices.Contains(f.Steps, pipelines.StepName(c.Steps[i].Kind())) {
			continue
		}
		if why = toothless(c, &c.Steps[i]); why == "" {
			return ""
		}
	}
	return why
}

// mostBorne is how many failures a step of a check may bear that is to hold something.
const mostBorne = 100

// bears says how many of something a limit bears that is none; "" where it is one.
func bears(limit *int, count int, what string) string {
	switch {
	case limit == nil:
		return ""
	case *limit < 0, count > 1 && *limit >= count:
		return "any number of " + what
	case *limit > mostBorne:
		return fmt.Sprintf("%d %s", *limit, what)
	}
	return ""
}

// toothless says why a check, or the step of it that is wanted, holds nothing; "" where it does.
func toothless(c *pipelines.ResolvedCheck, wanted *pipelines.ResolvedStep) string {
	if c.Enforcement != pipelines.Enforcing {
		return fmt.Sprintf("%s, which is %s", c.Name, c.Enforcement)
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		if wanted != nil && s.Name != wanted.Name {
			continue
		}
		if borne := bears(s.FailureLimit, s.Count, "failures") + bears(s.InconclusiveLimit, s.Count, "inconclusive measurements"); borne != "" {
			return s.Name + ", which bears " + borne
		}
	}
	return ""
}

func checkText(f *pipelines.CheckFloor) string {
	var kinds []string
	for _, s := range f.Steps {
		kinds = append(kinds, string(s))
	}
	text := "an enforcing check"
	if len(kinds) > 0 {
		text += " with " + strings.Join(kinds, " or ")
	}
	if f.Task != "" {
		text += " of Task " + f.Task
	}
	return text
}

func points(at []pipelines.Point) string {
	var all []string
	for _, p := range at {
		all = append(all, string(p))
	}
	return strings.Join(all, ", ")
}
