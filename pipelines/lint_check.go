package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// checks checks a list of checks. Inherited are the defaults that a stage's list is added to.
func (l *linter) checks(p *Pipeline, checks, inherited []Check, at spot) {
	var names []string
	for i := range checks {
		c := &checks[i]
		c.Name = c.name()
		names = append(names, c.Name)
		l.check(p, c, at.at(i))
		if c.Enforcement == "" {
			c.Enforcement = Enforcing
		}
	}
	l.unique("check", names, func(i int) spot { return at.at(i, "name") })

	effective := overlaidChecks(inherited, checks)
	var all []string
	after := map[string][]string{}
	for _, c := range effective {
		if c.Name != "" {
			all = append(all, c.Name)
			after[c.Name] = c.RunAfter
		}
	}
	for i, c := range checks {
		for j, name := range c.RunAfter {
			if !slices.Contains(all, name) {
				l.report.addAt(at.at(i, "runAfter", j), "there is no check %s in this list%s", name, rule.Suggest(name, all))
			}
		}
	}
	for _, cycle := range cycles(all, func(name string) []string { return after[name] }) {
		i := slices.IndexFunc(checks, func(c Check) bool { return slices.Contains(cycle, c.Name) })
		if i < 0 {
			continue // among the defaults, and reported there
		}
		l.report.addAt(at.at(i, "runAfter"), "task cycle: %s", strings.Join(cycle, " -> "))
	}
}

func (l *linter) check(p *Pipeline, c *Check, at spot) {
	if l.whatItRuns(c, at) {
		l.run(p, c, at)
		if !at.has("name") && !at.has("taskRef") {
			l.report.addAt(at, "a check without taskRef needs a name")
		}
	}
	var points []string
	for _, point := range c.At {
		points = append(points, string(point))
	}
	l.unique("point", points, func(i int) spot { return at.at("at", i) })
}

// whatItRuns checks that a check has exactly one of taskRef, taskSpec and gate.
func (l *linter) whatItRuns(c *Check, at spot) bool {
	var given []string
	for _, field := range []string{"taskRef", "taskSpec", "gate"} {
		if at.child(field) != nil {
			given = append(given, field)
		}
	}
	if len(given) > 1 {
		l.report.addAt(at.key(given[1]), "a check has one of taskRef, taskSpec and gate, not %s", strings.Join(given, " and "))
		return false
	}
	if len(given) == 0 {
		if !at.has("taskRef") && !at.has("taskSpec") && !at.has("gate") {
			l.report.addAt(at, "the check has nothing to run: give taskRef, taskSpec or gate")
		}
		return false
	}
	return true
}

// run checks what a check runs: that it is there, takes the params that it is given, and can run at its points.
func (l *linter) run(p *Pipeline, c *Check, at spot) {
	switch {
	case c.TaskRef != nil:
		l.refer(at.at("taskRef", "name"), KindTask, c.TaskRef.Name)
		task, ok := l.all.Tasks[c.TaskRef.Name]
		if !ok {
			return
		}
		l.checkParams(p, c, task.Spec.Params, "task "+c.TaskRef.Name, at)
		l.windowValues(p, c, &task.Spec, at)
		if f := l.fits[c.TaskRef.Name]; len(f.scopes()) > 0 {
			l.points(c, f, at, false)
		}
	case c.TaskSpec != nil:
		l.taskSpec(c.TaskSpec, at.at("taskSpec"))
		l.checkParams(p, c, c.TaskSpec.Params, "taskSpec", at)
		l.windowValues(p, c, c.TaskSpec, at)
		l.points(c, l.fit(stepsOf(c.TaskSpec, at.at("taskSpec")), ruleParams(c.TaskSpec.Params)), at, true)
	case c.Gate != nil:
		if len(c.Params) > 0 {
			l.report.addAt(at.key("params"), "a gate takes no params: it reads those of the pipeline as params.NAME")
		}
		l.points(c, l.fit([]placedStep{{&Step{StepKinds: StepKinds{Gate: c.Gate}}, at.at("gate")}}, ruleParams(p.Spec.Params)), at, true)
	}
}

// points checks that the gates can run at the points of a check, and chooses the points where it names none. What is
// wrong with gates that stand in the check itself is reported there, for a task's at the point.
func (l *linter) points(c *Check, f fit, at spot, own bool) {
	if at.child("at") != nil {
		l.windowPoints(c, at)
		for i, point := range c.At {
			l.point(c, point, f, at.at("at", i), own)
			if point == During {
				l.beside(c, f, at.at("at", i))
			}
		}
		return
	}
	chosen := defaultPoints()
	if l.windowed(c) {
		chosen = opening()
	}
	fitting := slices.DeleteFunc(chosen, func(p Point) bool { return len(f[ScopeOf(p)]) > 0 })
	if len(fitting) > 0 {
		c.At = fitting
		return
	}
	if own && len(f.scopes()) == 0 {
		l.reportAll(f.best())
		return
	}
	l.report.addAt(at, "check %s reads what is known of groups and stages only: say at which points it runs, such as at: [afterStage]", c.Name)
}

// beside refuses a check that is measured beside the batches of a cluster and reads facts of one: they would be those of the batch at
// which it began.
func (l *linter) beside(c *Check, f fit, at spot) {
	spec, _ := l.specOf(c)
	if spec == nil || spec.onlyRules() || len(f[rule.ScopeBatch]) > 0 || len(f[rule.ScopeCluster]) == 0 {
		return
	}
	why := f[rule.ScopeCluster][0]
	l.report.addAt(at, "check %s is measured beside all batches at during, so it can read nothing of a single one; afterBatch can (%s: %s)",
		c.name(), why.Position, strings.TrimPrefix(why.Message, "cel: "))
}

func (l *linter) point(c *Check, point Point, f fit, at spot, own bool) {
	scope := ScopeOf(point)
	if scope == "" || len(f[scope]) == 0 {
		return
	}
	if own {
		l.reportAll(f[scope])
		return
	}
	why := f[scope][0]
	l.report.addAt(at, "task %s cannot run %s: %s (%s)", c.TaskRef.Name, point, strings.TrimPrefix(why.Message, "cel: "), why.Position)
}

// checkParams checks what a check gives to its task, and gives literals the type that the task wants.
func (l *linter) checkParams(p *Pipeline, c *Check, declared []Param, task string, at spot) {
	given := at.at("params")
	var names, wanted []string
	for _, d := range declared {
		wanted = append(wanted, d.Name)
	}
	for i := range c.Params {
		v := &c.Params[i]
		names = append(names, v.Name)
		d := slices.IndexFunc(declared, func(d Param) bool { return d.Name == v.Name })
		if d < 0 {
			if v.Name != "" {
				l.report.addAt(given.at(i, "name"), "%s has no param %s%s", task, v.Name, rule.Suggest(v.Name, wanted))
			}
			continue
		}
		l.checkParam(p, v, declared[d], given.at(i))
	}
	l.unique("param", names, func(i int) spot { return given.at(i, "name") })
	for _, d := range declared {
		if d.required() && d.Name != "" && !slices.Contains(names, d.Name) {
			l.report.addAt(at, "check %s does not give param %s, which %s needs", c.Name, d.Name, task)
		}
	}
}

func (l *linter) checkParam(p *Pipeline, v *ParamValue, declared Param, at spot) {
	if at.flawed() || v.Value == nil {
		return
	}
	if from, ok := passed(v.Value); ok {
		l.passedOn(p, from, &declared, at.at("value"))
		return
	}
	if pasted(v.Value) {
		l.report.addAt(at.at("value"), "params are values, not text to paste: $(params.NAME) must be all of the value")
		return
	}
	l.items(p, v.Value, at.at("value"))
	l.literal(v, &declared, at.at("value"))
}
