package pipelines

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines/calendar"
	"sluice.dev/sluice/pipelines/rule"
)

// Bounds of bindings.
const (
	minInterval         = Duration(10 * time.Second) // a pod takes seconds to begin
	minResidentInterval = Duration(time.Second)
	maxInterval         = Duration(30 * Day)
	maxFreshness        = Duration(400 * Day) // what runs once a year has results, too
	maxProbePairs       = 10_000              // of cases and clusters that one binding makes
	maxProbeCases       = 500                 // of one component in a cluster
	maxCronLooked       = 2000                // minutes that a cron expression names
)

// boundProbes checks sets and bindings, each against the documents of its folder.
func (l *linter) boundProbes() {
	suites := map[string]*probeSuite{}
	for _, doc := range l.docs {
		if !doc.isProbe() {
			continue
		}
		if suites[doc.folder] == nil {
			suites[doc.folder] = &probeSuite{l: l, all: l.all.Probes[doc.folder], sets: map[string]spot{}, bindings: map[string]spot{}}
		}
		suites[doc.folder].gather(doc)
	}
	for _, folder := range sortedKeys(suites) {
		suites[folder].lint()
	}
	l.shippedProbes(suites)
	l.otherCases(suites)
}

// probeSuite is the probe documents of a folder on their way through the linter.
type probeSuite struct {
	l        *linter
	all      *ProbeDocuments
	sets     map[string]spot
	bindings map[string]spot
	slots    []usedSlot
}

// usedSlot is an image slot that a probe is run from.
type usedSlot struct {
	slot string
	at   spot
}

func (s *probeSuite) gather(doc *document) {
	switch value := doc.value.(type) {
	case *Probe:
		if value.Spec.ImageSlot != "" {
			s.slots = append(s.slots, usedSlot{value.Spec.ImageSlot, doc.spot().at("spec", "imageSlot")})
		}
	case *ProbeSet:
		if s.all.Sets[value.Metadata.Name] == value {
			s.sets[value.Metadata.Name] = doc.spot()
		}
	case *ProbeBinding:
		if s.all.Bindings[value.Metadata.Name] == value {
			s.bindings[value.Metadata.Name] = doc.spot()
		}
	}
}

func (s *probeSuite) lint() {
	for _, name := range sortedKeys(s.sets) {
		at := s.sets[name].at("spec", "cases")
		cases := s.all.Sets[name].Spec.Cases
		if len(cases) == 0 && !s.sets[name].at("spec").flawed() {
			s.l.report.addAt(at, "the set has no case")
		}
		s.cases(cases, at)
	}
	for _, name := range sortedKeys(s.bindings) {
		s.binding(s.all.Bindings[name], s.bindings[name].at("spec"))
	}
	s.twice()
}

// cases checks cases for themselves, and names those that have no name.
func (s *probeSuite) cases(cases []BoundCase, at spot) {
	var names []string
	for i := range cases {
		c, here := &cases[i], at.at(i)
		if c.Name == "" {
			c.Name = c.Probe
		}
		names = append(names, c.Name)
		if c.Probe == "" {
			continue
		}
		p := s.all.Probes[c.Probe]
		if p == nil {
			s.l.report.addAt(here.at("probe"), "there is no Probe %s in its folder%s", c.Probe, rule.Suggest(c.Probe, sortedKeys(s.all.Probes)))
			continue
		}
		s.params(c, p, here)
	}
	s.l.unique("case", names, func(i int) spot {
		if at.at(i).has("name") {
			return at.at(i, "name")
		}
		return at.at(i)
	})
}

func (s *probeSuite) params(c *BoundCase, p *Probe, at spot) {
	var declared, given []string
	for _, param := range p.Spec.Params {
		declared = append(declared, param.Name)
	}
	for i, v := range c.Params {
		given = append(given, v.Name)
		if v.Name != "" && !slices.Contains(declared, v.Name) {
			s.l.report.addAt(at.at("params", i, "name"), "Probe %s has no param %s%s", c.Probe, v.Name, rule.Suggest(v.Name, declared))
		}
		s.l.valueText(v.Value, at.at("params", i, "value"))
	}
	s.l.unique("param", given, func(i int) spot { return at.at("params", i, "name") })
	for _, param := range p.Spec.Params {
		if param.Default == nil && !slices.Contains(given, param.Name) && !at.at("params").flawed() {
			s.l.report.addAt(at, "case %s: param %s of Probe %s has no default: give it a value", c.Name, param.Name, c.Probe)
		}
	}
}

func (s *probeSuite) binding(b *ProbeBinding, spec spot) {
	l, of := s.l, &b.Spec
	l.selector(of.Clusters, spec.at("clusters"), "clusters")
	l.selectorNames(of.Clusters, spec.at("clusters"), KindCluster)
	l.warn(doubtsOf(of.Clusters, l.inUse().ofClusters, "cluster", false, "clusters"), spec)
	if len(of.Sets)+len(of.Cases) == 0 && !spec.flawed() {
		l.report.addAt(spec, "the binding has no case: name sets, or cases, or both")
	}
	l.unique("set", of.Sets, func(i int) spot { return spec.at("sets", i) })
	for i, name := range of.Sets {
		if s.all.Sets[name] == nil && name != "" {
			l.report.addAt(spec.at("sets", i), "there is no ProbeSet %s in its folder%s", name, rule.Suggest(name, sortedKeys(s.all.Sets)))
		}
	}
	s.cases(of.Cases, spec.at("cases"))
	s.events(of.Events, spec.at("events"))
	s.enforcement(of.Enforcement, spec.at("enforcement"))
	if d := of.Denoise; d != nil && d.Of > 0 && d.Failures > d.Of {
		l.report.addAt(spec.at("denoise"), "it can never fail: %d failures are not among %d results", d.Failures, d.Of)
	}
	s.times(b, spec)
	s.pairs(b, spec)
}

func (s *probeSuite) events(events []ProbeEvent, at spot) {
	var kinds []string
	for i, e := range events {
		kinds = append(kinds, string(e.On))
		if len(e.Names) > 0 && (e.On == OnNodeNew || e.On == OnNodeRebooted) {
			s.l.report.addAt(at.at(i, "names"), "%s is about any node: labels of the probe's target say which", e.On)
		}
		s.l.unique("name", e.Names, func(j int) spot { return at.at(i, "names", j) })
	}
	s.l.unique("event", kinds, func(i int) spot { return at.at(i, "on") })
}

// enforcement checks that a binding which holds what changes has a record to be held to.
func (s *probeSuite) enforcement(e *ProbeEnforcement, at spot) {
	if e == nil || at.flawed() {
		return
	}
	l := s.l
	if !l.fleetless {
		l.environment(at.at("environment"), e.Environment)
	}
	quiet, labelled := e.QuietRuns > 0 || e.Environment != "", e.FalsePositives != nil
	switch {
	case e.Mode == Advisory && (quiet || labelled):
		l.report.addAt(at, "a record is what %s needs: an %s failure holds nothing", Enforcing, Advisory)
	case e.Mode == Advisory:
	case quiet && labelled:
		l.report.addAt(at.key("falsePositives"), "it has one record: quietRuns in an environment, or falsePositives")
	case !quiet && !labelled:
		l.report.addAt(at, "%s needs a record: quietRuns and environment, or falsePositives such as 5%%", Enforcing)
	case quiet && (e.QuietRuns == 0 || e.Environment == ""):
		l.report.addAt(at, "quietRuns and environment go together: so many runs, in that environment")
	case labelled && !e.FalsePositives.Percent:
		l.report.addAt(at.at("falsePositives"), "falsePositives is a share of its failures, such as 5%%")
	}
}

// bound is a case of a binding with the place that brings it: of a set, where the binding names the set.
type boundAt struct {
	BoundCase
	set string
	at  spot
}

// bound lists the cases of a binding: those of its sets, in their order, then its own.
func (s *probeSuite) bound(b *ProbeBinding, spec spot) (all []boundAt) {
	for i, name := range b.Spec.Sets {
		if set := s.all.Sets[name]; set != nil {
			for _, c := range set.Spec.Cases {
				all = append(all, boundAt{c, name, spec.at("sets", i)})
			}
		}
	}
	for i, c := range b.Spec.Cases {
		all = append(all, boundAt{c, "", spec.at("cases", i)})
	}
	return all
}

// times checks what is said of time, against itself and against the probes that are bound, and fills in what may be left out.
func (s *probeSuite) times(b *ProbeBinding, spec spot) {
	l, of, at := s.l, &b.Spec, spec.at("schedule")
	every, cron := of.Schedule.Every, of.Schedule.Cron
	l.wait(every, at.at("every"), "every")
	l.wait(of.Schedule.Jitter, at.at("jitter"), "jitter")
	if f := of.Freshness; f != nil && *f > maxFreshness {
		l.report.addAt(spec.at("freshness"), "freshness is %s, at most %s is allowed", f, maxFreshness)
	} else if f != nil && f.Std()%time.Second != 0 {
		l.report.addAt(spec.at("freshness"), "freshness must be in whole seconds, not %s", f)
	}
	if every != nil && cron != "" {
		l.report.addAt(at.key("cron"), "it runs by every or by cron, not by both")
		return
	}
	if of.Schedule.Zone != "" {
		if cron == "" {
			l.report.addAt(at.key("zone"), "zone is of cron, and there is none")
		}
		if _, err := calendar.Zone(of.Schedule.Zone); err != nil {
			l.report.addAt(at.at("zone"), "%v", err)
		}
	}
	if every != nil && *every > maxInterval {
		l.report.addAt(at.at("every"), "every is %s, at most %s is allowed", every, maxInterval)
		return
	}
	gaps, ok := s.gaps(every, cron, at)
	if !ok {
		return
	}
	if j := of.Schedule.Jitter; j != nil && (cron == "" && every == nil || *j > gaps.shortest) {
		l.report.addAt(at.at("jitter"), "jitter is longer than the interval of the schedule, %s", gaps.shortest)
	}
	s.residents(b, spec, &gaps)
	switch {
	case of.Freshness != nil && *of.Freshness == 0:
		l.report.addAt(spec.at("freshness"), "freshness must be above 0: every result would be too old")
	case of.Freshness != nil && *of.Freshness < gaps.longest:
		l.report.addAt(spec.at("freshness"), "freshness is %s, and up to %s pass between two runs: it would be Unknown in between",
			of.Freshness, gaps.longest)
	case of.Freshness == nil && cron != "" && !gaps.resident:
		l.report.addAt(spec, "freshness is missing: a cron has no interval to take it from")
	case of.Freshness == nil && gaps.longest > 0: // else a result counts until the next one
		of.Freshness = new(3 * gaps.longest) // at most three of maxInterval
	}
}

// gaps is the time between two runs.
type gaps struct {
	shortest, longest Duration
	resident          bool
}

func (s *probeSuite) gaps(every *Duration, cron string, at spot) (gaps, bool) {
	if every != nil {
		return gaps{shortest: *every, longest: *every}, true
	}
	if cron == "" {
		return gaps{}, true
	}
	shortest, longest, err := calendar.Beginnings(cron, maxCronLooked)
	if err != nil {
		s.l.report.addAt(at.at("cron"), "%v", err)
		return gaps{}, false
	}
	return gaps{shortest: Duration(shortest), longest: Duration(longest)}, true
}

// residents holds the schedule against the modes and timeouts of the probes that are bound.
func (s *probeSuite) residents(b *ProbeBinding, spec spot, g *gaps) {
	l, of := s.l, &b.Spec
	lowest, oneShot := minResidentInterval, ""
	for _, c := range s.bound(b, spec) {
		p := s.all.Probes[c.Probe]
		if p == nil {
			continue
		}
		if p.Spec.Mode != ProbeResident {
			lowest, oneShot = minInterval, c.Name
			if t := p.Spec.Timeout; t != nil && g.shortest > 0 && *t > g.shortest {
				l.report.addAt(c.at, "case %s may take %s, its timeout, and is due every %s: one run would miss the next", c.Name, t, g.shortest)
			}
			continue
		}
		g.resident = true
		if of.Schedule.Cron != "" {
			l.report.addAt(c.at, "case %s is %s: it reports by every, and knows no cron", c.Name, ProbeResident)
		}
		if len(of.Events) > 0 {
			l.report.addAt(c.at, "case %s is %s: it runs always, and no event begins it", c.Name, ProbeResident)
		}
	}
	if g.resident && of.Schedule.Every == nil && of.Schedule.Cron == "" {
		if oneShot != "" {
			l.report.addAt(spec, "it binds residents and others, such as %s: say every, or bind them apart", oneShot)
		}
		of.Schedule.Every = new(Duration(time.Minute))
		g.shortest, g.longest = *of.Schedule.Every, *of.Schedule.Every
	}
	if e := of.Schedule.Every; e != nil && *e < lowest {
		l.report.addAt(spec.at("schedule", "every"), "every is %s, at least %s is allowed", e, lowest)
	}
}

// pairs counts what a binding makes of the fleet.
func (s *probeSuite) pairs(b *ProbeBinding, spec spot) {
	cases := len(s.bound(b, spec))
	if b.Spec.Clusters == nil || cases == 0 {
		return
	}
	clusters := 0
	for _, c := range s.l.all.Clusters {
		if b.Spec.Clusters.Matches(s.l.labelsOf(c), c.Metadata.Name) {
			clusters++
		}
	}
	if pairs := clusters * cases; pairs > maxProbePairs {
		s.l.report.addAt(spec, "%d cases in %d clusters are %d pairs, more than %d: take fewer cases, or bind a part of the fleet",
			cases, clusters, pairs, maxProbePairs)
	}
}

// labelsOf are the labels by which a cluster is selected.
func (l *linter) labelsOf(c *Cluster) map[string]string {
	if group := l.all.ClusterGroups[c.Spec.Group]; group != nil {
		return c.EffectiveLabels(group)
	}
	return c.Metadata.Labels
}

// twice reports cases that one cluster would have more than once. Without a fleet it goes by selectors that are the same.
func (s *probeSuite) twice() {
	told := map[string]bool{}
	tell := func(c, first boundAt, where string) {
		if key := c.Name + c.at.position().String(); !told[key] {
			told[key] = true
			s.l.report.addAt(c.at, "case %s is bound twice%s: first at %s", c.Name, where, first.at.position())
		}
	}
	names := sortedKeys(s.bindings)
	look := func(where string, takes func(*ProbeBinding) bool) {
		first, count := map[string]boundAt{}, 0
		for _, name := range names {
			b := s.all.Bindings[name]
			if b.Spec.Clusters == nil || !takes(b) {
				continue
			}
			for _, c := range s.bound(b, s.bindings[name].at("spec")) {
				if count++; count == maxProbeCases+1 {
					s.l.report.addAt(c.at, "more than %d cases are bound%s", maxProbeCases, where)
				}
				if before, again := first[c.Name]; again && c.Name != "" && before.at.position() != c.at.position() {
					tell(c, before, where)
					continue
				}
				first[c.Name] = c
			}
		}
	}
	for _, selector := range s.selectors() {
		look("", func(b *ProbeBinding) bool { return b.Spec.Clusters.All || b.Spec.Clusters.String() == selector })
	}
	for _, name := range sortedKeys(s.l.all.Clusters) {
		labels := s.l.labelsOf(s.l.all.Clusters[name])
		look(fmt.Sprintf(" in cluster %s", name), func(b *ProbeBinding) bool { return b.Spec.Clusters.Matches(labels, name) })
	}
}

// selectors are the different ones of the bindings.
func (s *probeSuite) selectors() []string {
	var all []string
	for _, b := range s.all.Bindings {
		if b.Spec.Clusters != nil {
			all = append(all, b.Spec.Clusters.String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// uses reports whether a probe is run from an image slot, or told of it.
func (s *probeSuite) uses(slot string) bool {
	return slices.ContainsFunc(s.slots, func(u usedSlot) bool { return u.slot == slot }) ||
		s.all.anyText(func(text string) bool { return strings.Contains(text, "$(values.images."+slot+")") })
}

// shippedProbes checks components against the probes that they ship.
func (l *linter) shippedProbes(suites map[string]*probeSuite) {
	for _, doc := range l.docs {
		c, ok := doc.value.(*Component)
		if !ok || c.Spec.Template.Probes == "" {
			continue
		}
		at := doc.spot().at("spec", "template", "probes")
		folder := l.folderOf(doc, c)
		s := suites[folder]
		if folder == "" || s == nil {
			continue // checked where it is rendered
		}
		if len(s.bindings) == 0 {
			l.report.addAt(at, "folder %s has no ProbeBinding: its probes would run nowhere", c.Spec.Template.Probes)
		}
		for _, slot := range sortedKeys(c.Spec.Images) {
			if !s.uses(slot) {
				l.report.addAt(doc.spot().at("spec", "images").key(slot), "image slot %s: no Probe of folder %s is run from it, and none names it",
					slot, c.Spec.Template.Probes)
			}
		}
		for _, used := range s.slots {
			if _, known := c.Spec.Images[used.slot]; !known {
				l.report.addAt(used.at, "component %s %s has no image slot %s%s", c.Metadata.Name, c.Spec.Version, used.slot,
					rule.Suggest(used.slot, sortedKeys(c.Spec.Images)))
			}
		}
	}
}
