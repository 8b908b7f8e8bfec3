package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// placedStep is a step of a task, or the gate that is all of a check, and where it stands.
type placedStep struct {
	*Step
	at spot // of the kind's field
}

// step checks a step for itself: that it is of one kind, and what that kind says.
func (l *linter) step(s *Step, at spot) {
	kinds := slices.DeleteFunc(slices.Clone(stepFields), func(name string) bool { return at.child(name) == nil })
	switch {
	case len(kinds) > 1:
		l.report.addAt(at.key(kinds[1]), "a step is of one kind, not %s", strings.Join(kinds, " and "))
		return
	case len(kinds) == 0:
		if !at.flawed() {
			l.report.addAt(at, "the step has nothing to do: say its kind, such as gate or http")
		}
		return
	}
	l.repeat(&s.Repeat, at)
	if kind, _ := StepKindOf(kinds[0]); kind.lint != nil && !at.at(kinds[0]).flawed() {
		kind.lint(l, s, at.at(kinds[0]))
		l.from(s, at)
	}
}

// repeat checks how a step is measured.
func (l *linter) repeat(r *Repeat, at spot) {
	l.wait(r.InitialDelay, at.at("initialDelay"), "initialDelay")
	l.wait(r.Interval, at.at("interval"), "interval")
	l.wait(r.Timeout, at.at("timeout"), "timeout")
	if r.Interval != nil && *r.Interval == 0 {
		l.report.addAt(at.at("interval"), "interval must be above 0")
	}
	if r.Timeout != nil && *r.Timeout == 0 {
		l.report.addAt(at.at("timeout"), "timeout must be above 0: nothing could be measured")
	}
}

func stepsOf(t *TaskSpec, at spot) []placedStep {
	var steps []placedStep
	for i := range t.Steps {
		s, here := &t.Steps[i], at.at("steps", i)
		kind := s.Kind()
		if kind == "" {
			continue
		}
		steps = append(steps, placedStep{s, here.at(kind)})
	}
	return steps
}

// fit is what is wrong with the steps of a check or task in each scope.
type fit map[rule.Scope]Diagnostics

func scopes() []rule.Scope {
	return []rule.Scope{rule.ScopeBatch, rule.ScopeCluster, rule.ScopeStage}
}

// scopes are those in which nothing is wrong.
func (f fit) scopes() []rule.Scope {
	return slices.DeleteFunc(scopes(), func(s rule.Scope) bool { return len(f[s]) > 0 })
}

// best is what is wrong in the scope in which the least is: among those in which the steps' kinds can run, where there are such.
func (f fit) best() Diagnostics {
	amiss := func(s rule.Scope) int {
		if slices.ContainsFunc(f[s], func(d Diagnostic) bool { return strings.Contains(d.Message, aboutCluster) }) {
			return 1 << 20
		}
		return len(f[s])
	}
	return f[slices.MinFunc(scopes(), func(a, b rule.Scope) int { return amiss(a) - amiss(b) })]
}

// aboutCluster is said of a kind that cannot run in a scope, whatever else is mended.
const aboutCluster = " is about a cluster, and there is none "

// fit tries steps in every scope: gates are compiled, the names in texts looked up.
func (l *linter) fit(steps []placedStep, params []rule.Param) fit {
	f := fit{}
	for _, s := range steps {
		for _, scope := range scopes() {
			if s.Gate != nil {
				f[scope] = append(f[scope], l.compiles(scope, params, s.Gate, s.at.at("cel"))...)
				continue
			}
			f[scope] = append(f[scope], l.runsIn(scope, params, s)...)
		}
	}
	return f
}

// compiles is what is wrong with a gate in a scope. It notes where the expression starts.
func (l *linter) compiles(scope rule.Scope, params []rule.Param, g *Gate, at spot) (found Diagnostics) {
	if g.CEL == "" {
		return nil
	}
	g.Position = at.textPosition(1, 1)
	_, err := l.compiler.Compile(scope, params, g.CEL)
	if err == nil {
		return nil
	}
	issues, ok := err.(rule.Issues)
	if !ok {
		return Diagnostics{{g.Position, err.Error()}}
	}
	for _, issue := range issues {
		found = append(found, Diagnostic{at.textPosition(issue.Line, issue.Column), "cel: " + strings.TrimSpace(issue.Message)})
	}
	return found
}

// runsIn is what is wrong with a step that is no gate in a scope.
func (l *linter) runsIn(scope rule.Scope, params []rule.Param, s placedStep) (found Diagnostics) {
	kind, _ := StepKindOf(s.Kind())
	if !slices.Contains(kind.Scopes, scope) || scope == rule.ScopeStage && kind.local != nil && kind.local(s.Step) {
		return Diagnostics{{s.at.position(), kind.Name + aboutCluster + whereOf(scope)}}
	}
	if s.Job != nil || s.Script != nil {
		if why := clashes(params); why != "" {
			found = append(found, Diagnostic{s.at.position(), why})
		}
	}
	found = append(found, unknownSpreads(s, params)...)
	wrong, names := unknownPaths(s)
	found = append(found, wrong...)
	for _, name := range names {
		if why := unknownName(name, scope, params); why != "" {
			found = append(found, Diagnostic{s.at.position(), "$(" + name + "): " + why})
		}
	}
	if s.Metrics != nil {
		found = append(found, l.conditions(s, params)...)
	}
	return found
}

func whereOf(scope rule.Scope) string {
	if scope == rule.ScopeStage {
		return "at a group, a stage or the run"
	}
	return "at a " + string(scope)
}

// unknownName says why a text cannot name something; "" where it can.
func unknownName(name string, scope rule.Scope, params []rule.Param) string {
	if strings.HasPrefix(name, "params.") {
		return unknownParam(name, params)
	}
	if strings.HasPrefix(name, "context.") {
		return unknownContext(name, scope)
	}
	return rule.Unreadable(scope, name)
}

// unknownParam is unknownName of a param, or a part of one. What is more than one text has no place in a text.
func unknownParam(name string, params []rule.Param) string {
	whole, part := partsOf(name)
	param := strings.TrimPrefix(whole, "params.")
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
		if p.Name != param {
			continue
		}
		properties := map[string]Property{}
		for _, key := range p.Keys {
			properties[key] = Property{}
		}
		t, why := ParamType(p.Type).part(part, properties)
		switch {
		case why != "":
			return "it " + why
		case t == TypeArray:
			return "an array is no text: name an item as $(" + whole + "[0]), or all as an item of args that is $(" + whole + "[*])"
		case t == TypeObject:
			return "an object is no text: name what stands under a key, as $(" + whole + ".KEY)"
		}
		return ""
	}
	return "there is no param " + param + rule.Suggest(param, names)
}

// unknownSpreads is what is wrong with arrays whose items are arguments.
func unknownSpreads(s placedStep, params []rule.Param) (found Diagnostics) {
	for _, name := range s.Spreads() {
		i := slices.IndexFunc(params, func(p rule.Param) bool { return "params."+p.Name == name })
		why := ""
		switch {
		case i < 0:
			why = unknownParam(name, params)
		case ParamType(params[i].Type) != TypeArray:
			why = "it is of type " + string(params[i].Type) + ", and no array"
		default:
			continue
		}
		found = append(found, Diagnostic{s.at.position(), "$(" + name + allItems + "): " + why})
	}
	return found
}

func (l *linter) reportAll(found Diagnostics) {
	for _, d := range found {
		l.report.add(d.Position, "%s", d.Message)
	}
}
