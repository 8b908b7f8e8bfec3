package pipelines

import "time"

// maxWait bounds soaks and deadlines.
const maxWait = 30 * Day

// rules checks everything of Rules but their checks.
func (l *linter) rules(r *Rules, at spot) {
	l.nodeSets(r.NodeSets, at.at("nodeSets"))
	l.batches(r.Batches, at.at("batches"))
	l.positive(r.MaxUnavailable, at.at("maxUnavailable"), "maxUnavailable", "nothing could ever move")
	l.positive(r.MaxConcurrency, at.at("maxConcurrency"), "maxConcurrency", "no cluster could ever start")
	l.soak(r.Soak, at.at("soak"))
	if d := r.ProgressDeadline; d != nil {
		l.wait(d, at.at("progressDeadline"), "progressDeadline")
		if *d == 0 {
			l.report.addAt(at.at("progressDeadline"), "progressDeadline must be above 0: every batch would stall at once")
		}
	}
	if r.Order != nil {
		units := at.at("order", "units")
		for i, name := range r.Order.Units {
			l.referIfAny(units.at(i), KindCluster, name)
		}
		l.unique("cluster", r.Order.Units, func(i int) spot { return units.at(i) })
	}
}

func (l *linter) positive(a *Amount, at spot, field, why string) {
	if a != nil && a.Value == 0 {
		l.report.addAt(at, "%s must be above 0: %s", field, why)
	}
}

func (l *linter) wait(d *Duration, at spot, field string) {
	if d == nil {
		return
	}
	if d.Std()%time.Second != 0 {
		l.report.addAt(at, "%s must be in whole seconds, not %s", field, d)
	}
	if d.Std() > maxWait {
		l.report.addAt(at, "%s is %s, at most %s is allowed", field, d, Duration(maxWait))
	}
}

func (l *linter) batches(batches []Amount, at spot) {
	if len(batches) == 0 {
		return
	}
	var count, percent Amount // the highest so far of each
	for i, b := range batches {
		if at.at(i).bad() {
			continue
		}
		highest := &count
		if b.Percent {
			highest = &percent
		}
		switch {
		case b.Value == 0:
			l.report.addAt(at.at(i), "a batch of %s moves nothing", b)
		case b.Value <= highest.Value:
			l.report.addAt(at.at(i), "batch %s is not above %s before it: batches are cumulative", b, highest)
		}
		if b.Value > highest.Value {
			*highest = b
		}
	}
	if last := batches[len(batches)-1]; last != Percent(100) {
		l.report.addAt(at.at(len(batches)-1), "the last batch must be 100%%, not %s: what is beyond it would stay old", last)
	}
}

func (l *linter) nodeSets(sets []NodeSet, at spot) {
	if len(sets) == 0 {
		return
	}
	var names []string
	for i := range sets {
		names = append(names, sets[i].Name)
		l.selector(&sets[i].Selector, at.at(i), "node set")
		if sets[i].All && i < len(sets)-1 {
			l.report.addAt(at.at(i), "a node set of all nodes leaves none to the sets after it: it must be the last")
		}
	}
	l.unique("node set", names, func(i int) spot { return at.at(i, "name") })
	last := at.at(len(sets) - 1)
	if !sets[len(sets)-1].All && !last.flawed() {
		l.report.addAt(last, "the last node set must be all: true: "+
			"finishing the workload releases the nodes that no set covers, so they need a set of their own")
	}
}

// selector checks one that is given. Names are checked by whoever knows what they are of.
func (l *linter) selector(s *Selector, at spot, what string) {
	if s == nil || at.flawed() {
		return
	}
	if s.All && s.narrows() {
		l.report.addAt(at.key("all"), "all: true stands alone: a selector of everything cannot be narrowed")
	}
	if s.Empty() {
		l.report.addAt(at, "%s selects nothing: write all: true for everything", what)
	}
	for i, r := range s.MatchExpressions {
		e := at.at("matchExpressions", i)
		needs := r.Operator == OpIn || r.Operator == OpNotIn
		switch {
		case e.flawed():
		case needs && len(r.Values) == 0:
			l.report.addAt(e, "operator %s needs values", r.Operator)
		case !needs && len(r.Values) > 0:
			l.report.addAt(e.at("values"), "operator %s takes no values", r.Operator)
		}
	}
}

// selectorNames checks the names of a selector of documents of a kind.
func (l *linter) selectorNames(s *Selector, at spot, kind string) {
	if s == nil {
		return
	}
	for i, name := range s.Names {
		l.referIfAny(at.at("names", i), kind, name)
	}
	l.unique("name", s.Names, func(i int) spot { return at.at("names", i) })
}
