package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/calendar"
)

// lintWindow checks a step that is a window.
func lintWindow(l *linter, s *Step, at spot) {
	w := s.Window
	if len(w.Allow) == 0 && len(w.Deny) == 0 && !at.has("allow") && !at.has("deny") {
		l.report.addAt(at, "the window neither allows nor denies anything: give allow or deny")
	}
	ready := w.TimeZone != "" && !waitsForValue(w.TimeZone)
	if ready {
		if _, err := calendar.Zone(w.TimeZone); err != nil {
			l.report.addAt(at.at("timeZone"), "%v", err)
			ready = false
		}
	}
	for i := range w.Allow {
		ready = l.timeWindow(&w.Allow[i], "allows", at.at("allow", i)) && ready
	}
	for i := range w.Deny {
		ready = l.timeWindow(&w.Deny[i], "denies", at.at("deny", i)) && ready
	}
	if ready && !at.doc.source.library {
		l.opens(w, at)
	}
}

// timeWindow checks one window of a step, and says whether its time is known.
func (l *linter) timeWindow(w *TimeWindow, does string, at spot) bool {
	if at.flawed() {
		return false
	}
	for i, name := range w.Calendars {
		l.refer(at.at("calendars", i), KindCalendar, name)
	}
	l.holidays(w.Holidays, at.at("holidays"))
	if !w.given() {
		return false
	}
	period, field, err := w.period()
	switch {
	case field == "holidays":
		return false // said above
	case err != nil && field != "":
		l.report.addAt(at.at(field), "%v", err)
	case err != nil:
		l.report.addAt(at, "%v", err)
	case !calendar.Ever(period) && len(w.Calendars) == 0:
		l.warnings.addAt(at, "the window never opens: %s comes in no year, so that it never %s anything", w.Called(), does)
		return false
	}
	return err == nil
}

// opens warns of windows that contradict each other, so that nobody is ever allowed to go on.
func (l *linter) opens(w *Window, at spot) {
	c, err := l.all.withHolidays(StepKinds{Window: w}).Window.Calendar()
	if err != nil {
		return // it is reported where it stands
	}
	for _, a := range []calendar.Action{calendar.Start, calendar.Advance} {
		opens := func(by calendar.Invoker) bool { return c.Opens(a, by) }
		if !slices.ContainsFunc(calendar.Invokers(), opens) {
			l.warnings.addAt(at, "the windows never allow anybody to %s: what is allowed is always denied, or never comes", a)
		}
	}
}

// windowValues checks the windows of a task with the values that a check gives to its params.
func (l *linter) windowValues(p *Pipeline, c *Check, t *TaskSpec, at spot) {
	var own []ParamValue
	for _, param := range p.Spec.Params {
		own = append(own, ParamValue{param.Name, param.Default})
	}
	values, err := bind(t.Params, c.Params, own)
	if err != nil {
		return // it is reported, or given when the plan is made
	}
	for _, s := range t.Steps {
		if s.Window == nil || len(s.References()) == 0 {
			continue
		}
		step, err := ResolvedStep{StepKinds: s.StepKinds}.Expanded(func(name string) (any, bool) {
			v := valueOf(strings.TrimPrefix(name, "params."), values)
			return v, v != nil && strings.HasPrefix(name, "params.")
		})
		if err != nil {
			continue // it names what only a run knows
		}
		if _, err := step.Window.Calendar(); err != nil {
			l.report.addAt(at.at("params"), "check %s: step %s cannot be read with these params: %v", c.Name, s.Name, err)
			continue
		}
		l.opens(step.Window, at.at("params"))
	}
}

// opening are the points at which a window is asked where its check names none: before anything of a run moves.
func opening() []Point { return []Point{BeforeBatch, BeforeCluster, BeforeRun} }

// windowed reports whether a check has a window among its steps.
func (l *linter) windowed(c *Check) bool {
	spec := c.TaskSpec
	if c.TaskRef != nil {
		if task, ok := l.all.Tasks[c.TaskRef.Name]; ok {
			spec = &task.Spec
		}
	}
	return spec != nil && slices.ContainsFunc(spec.Steps, func(s Step) bool { return s.Window != nil })
}

// windowPoints checks where a check with a window runs.
func (l *linter) windowPoints(c *Check, at spot) {
	if !l.windowed(c) {
		return
	}
	for i, p := range c.At {
		if p == During {
			l.report.addAt(at.at("at", i), "a window holds what is about to begin, and cannot run during: say beforeBatch, or leave at out")
		}
	}
}
