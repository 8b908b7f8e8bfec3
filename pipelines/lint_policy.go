package pipelines

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// policy checks that what a policy asks for can be met by some pipeline.
func (l *linter) policy(p *Policy, at spot) {
	s, spec := &p.Spec, at.at("spec")
	if len(s.Asks()) == 0 && !spec.flawed() {
		l.report.addAt(spec, "the policy asks for nothing")
	}
	l.selector(s.Clusters, spec.at("clusters"), "clusters")
	l.warn(l.inUse().DoubtsOfPolicy(s), spec)
	l.components(s.Components, spec.at("components"))
	for field, names := range map[string][]string{"environments": s.Environments, "order": s.Order, "mustPass": s.MustPass} {
		l.environments(names, spec.at(field))
	}
	for i, name := range s.MustPass {
		if !slices.Contains(s.Order, name) {
			l.report.addAt(spec.at("mustPass", i), "environment %s is not in the order: nothing would come after it", name)
		}
	}
	for field, most := range map[string]*Amount{
		"firstGroup": s.FirstGroup, "maxConcurrency": s.MaxConcurrency, "firstBatch": s.FirstBatch, "maxBatch": s.MaxBatch,
	} {
		if most != nil && most.Value == 0 {
			l.report.addAt(spec.at(field), "%s of %s lets nothing move: no pipeline can meet it", field, most)
		}
	}
	l.soak(s.Soak, spec.at("soak"))
	l.wait(s.Interval, spec.at("interval"), "interval")
	for i := range s.Checks {
		l.checkFloor(&s.Checks[i], spec.at("checks", i))
	}
	for i := range s.Windows {
		l.windowFloor(&s.Windows[i], spec.at("windows", i))
	}
}

// environments checks names of environments. A policy is also kept where there is no fleet: one that this fleet has not is a doubt.
func (l *linter) environments(names []string, at spot) {
	l.unique("environment", names, func(i int) spot { return at.at(i) })
	known := l.all.Fleet.Spec.Environments
	for i, name := range names {
		if name != "" && !slices.Contains(known, name) {
			l.warnings.addAt(at.at(i), "the fleet has no environment %s, only %s%s", name, strings.Join(known, ", "), rule.Suggest(name, known))
		}
	}
}

// components checks names of components. A policy is also kept where there are none of them: then none is doubted.
func (l *linter) components(names []string, at spot) {
	l.unique("component", names, func(i int) spot { return at.at(i) })
	known := slices.Sorted(maps.Keys(l.all.Components))
	for i, name := range names {
		if name != "" && len(known) > 0 && !slices.Contains(known, name) {
			l.warnings.addAt(at.at(i), "there is no component %s%s", name, rule.Suggest(name, known))
		}
	}
}

func (l *linter) checkFloor(f *CheckFloor, at spot) {
	if f.Task == "" && len(f.Steps) == 0 && !at.flawed() {
		l.report.addAt(at, "it does not say which check: give task, or steps, or both")
	}
	if known := l.known(KindTask); f.Task != "" && !slices.Contains(known, f.Task) {
		l.warnings.addAt(at.at("task"), "there is no Task %s%s", f.Task, rule.Suggest(f.Task, known))
	}
	for i, point := range f.At {
		if len(f.Steps) > 0 && !slices.ContainsFunc(f.Steps, func(name StepName) bool { return name.runsAt(point) }) {
			l.report.addAt(at.at("at", i), "no step of the kind %s can run at %s: no pipeline can meet it", join(f.Steps, " or "), point)
		}
	}
}

// runsAt reports whether some step of the kind can run at a point.
func (n StepName) runsAt(p Point) bool {
	kind, known := StepKindOf(string(n))
	return !known || slices.Contains(kind.Scopes, ScopeOf(p)) && (n != "window" || p != During)
}

func join[T ~string](all []T, with string) string { return strings.Join(texts(all), with) }

func (l *linter) windowFloor(f *WindowFloor, at spot) {
	for i, p := range f.At {
		if p == During {
			l.report.addAt(at.at("at", i), "a window cannot run during: no pipeline can meet it")
		}
	}
	for _, list := range []string{"allow", "deny"} {
		windows := f.Allow
		if list == "deny" {
			windows = f.Deny
		}
		for i := range windows {
			if len(windows[i].Calendars) > 0 {
				l.report.addAt(at.at(list, i, "calendars"), "a policy stands by itself and knows no Calendar: write its holidays here")
				return
			}
			if a := windows[i].Actions; slices.Contains(a, "rollback") || slices.Contains(a, "abort") {
				l.report.addAt(at.at(list, i, "actions"), "no policy stops a rollback or an abort")
				return
			}
			if !windows[i].given() {
				l.report.addAt(at.at(list, i), "a policy has no params")
				return
			}
		}
	}
	lintWindow(l, &Step{StepKinds: StepKinds{Window: &f.Window}}, at)
}

// contradictions reports policies of which no pipeline can meet both.
func (l *linter) contradictions() {
	names := slices.Sorted(maps.Keys(l.all.Policies))
	for i, name := range names {
		for _, other := range names[:i] {
			for _, c := range Contradictions(l.all.Policies[name], l.all.Policies[other]) {
				l.report.addAt(l.places[KindPolicy+name].at("spec", c.Field), "%s", c.Message)
			}
		}
	}
}

// Contradiction is why no pipeline can meet two policies: a field of the first, and what it says of the second.
type Contradiction struct {
	Field   string
	Message string
}

// Contradictions are those between two policies. Which clusters labels choose is known to a fleet only: policies that choose by them are
// not held against each other.
func Contradictions(p, other *Policy) (found []Contradiction) {
	if !p.Spec.overlaps(&other.Spec) {
		return nil
	}
	their := "Policy " + other.Metadata.Name
	if other.Position.File != "" {
		their += " at " + other.Position.String()
	}
	if first, later, disagree := p.Spec.disagrees(&other.Spec); disagree {
		found = append(found, Contradiction{"order", fmt.Sprintf(
			"%s goes before %s here, and after it in %s: no pipeline that moves both can meet both", first, later, their)})
	}
	if a, b := p.Spec.OnFailure, other.Spec.OnFailure; !meet(a, b) && meet(p.Spec.Environments, other.Spec.Environments) {
		found = append(found, Contradiction{"onFailure", fmt.Sprintf(
			"it wants %s, and %s wants %s: no pipeline can meet both", join(a, " or "), their, join(b, " or "))})
	}
	return found
}

// overlaps reports whether two policies concern one component, for certain: which clusters labels choose is known to a fleet only.
func (s *PolicySpec) overlaps(o *PolicySpec) bool {
	return s.Clusters == nil && o.Clusters == nil && meet(s.Components, o.Components)
}

// meet reports whether two lists have something in common. An empty one is everything.
func meet[T comparable](a, b []T) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(one T) bool { return slices.Contains(b, one) })
}

// disagrees finds two environments that two policies want the other way round, each where it binds the one that goes later.
func (s *PolicySpec) disagrees(o *PolicySpec) (first, later string, found bool) {
	for i, first := range s.Order {
		for _, later := range s.Order[i+1:] {
			theirs := slices.Index(o.Order, later)
			bound := meet(s.Environments, []string{later}) && meet(o.Environments, []string{first})
			if theirs >= 0 && theirs < slices.Index(o.Order, first) && bound {
				return first, later, true
			}
		}
	}
	return "", "", false
}
