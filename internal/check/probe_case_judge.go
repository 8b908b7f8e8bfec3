package check

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/pipelines"
)

// mostNamed is how many targets a finding names of a case.
const mostNamed = 5

// take gives targets what came of their runs.
func (l *caseLook) take(ends []caserun.End) {
	for _, c := range l.cases {
		for _, t := range c.targets {
			if t.ask < 0 {
				continue
			}
			e := ends[t.ask]
			t.run, t.node = e.Name(), e.Node
			switch {
			case e.Result != nil:
				t.verdict, t.code, t.says = e.Result.Verdict, e.Result.Code, l.mask(e.Result.Message)
				if t.says == "" {
					t.says = l.mask(clip.Few(e.Result.Errors, 3))
				}
				if other := otherThan(c.config, e.Version); other != "" {
					t.verdict, t.says = api.Inconclusive, other+", which said "+string(e.Result.Verdict)
				}
			case e.Why != nil:
				t.verdict, t.says = api.Error, e.Why.Error()
			}
		}
	}
}

// decided reports whether a case that holds has failed already, whatever comes of the rest.
func (l *caseLook) decided(ends []caserun.End) bool {
	l.take(ends)
	return slices.ContainsFunc(l.cases, func(c *oneCase) bool { return !c.advisory && l.judge(c) == api.Failed })
}

// judge is the verdict of a case over its targets. One that says that there is nothing to look at counts nowhere. What failed before
// the change holds, and was not done by it.
func (l *caseLook) judge(c *oneCase) api.Verdict {
	n := map[api.Verdict]int{}
	before := 0
	for _, t := range c.targets {
		if t.verdict == api.Failed && l.notBlamed(t) != "" {
			before++
			continue
		}
		n[t.verdict]++
	}
	all := len(c.targets) - n[api.Skipped]
	atLeast := pipelines.Percent(100)
	if l.step.AtLeast != nil {
		atLeast = *l.step.AtLeast
	}
	need := atLeast.Of(all)
	if atLeast.Percent { // of five nodes four are not 90%
		need = all - pipelines.Percent(100-atLeast.Value).BudgetOf(all)
	}
	borne := all - need
	switch {
	case all == 0 && len(c.targets) > 0:
		return api.Skipped
	case all > 0 && n[api.Passed] >= need:
		return api.Passed
	case n[api.Failed] > borne:
		return api.Failed
	case n[api.Failed]+before > borne:
		return api.Inconclusive
	case n[api.Error] > 0:
		return api.Error
	}
	return api.Inconclusive
}

// notBlamed says why the change has not made a case fail; "" where it may have.
func (l *caseLook) notBlamed(t *caseTarget) string {
	switch p := l.question.Point; {
	case t.before != "":
		return "before the change already: " + t.before
	case len(l.pods.New) == 0 && (p == pipelines.BeforeBatch || p == pipelines.BeforeCluster):
		return "before the change: nothing of it is there yet"
	}
	return ""
}

// finding sums up the cases: what failed weighs most, what could not be looked at more than what cannot be told.
func (l *caseLook) finding() Finding {
	says := map[api.Verdict][]string{}
	var beside []string
	runs, fresh, passed, skipped := 0, 0, 0, 0
	for _, c := range l.cases {
		for _, t := range c.targets {
			runs++
			if t.fresh != nil {
				fresh++
			}
		}
		v := l.judge(c)
		if v == api.Skipped {
			skipped++
		}
		switch {
		case v == api.Passed:
			passed++
			if bad := l.told(c); bad != "" {
				beside = append(beside, bad)
			}
		case c.advisory:
			beside = append(beside, "advisory: "+l.told(c))
		case v == api.Skipped && l.step.Bound:
			beside = append(beside, l.told(c))
		default:
			if v == api.Skipped {
				v = api.Inconclusive
			}
			says[v] = append(says[v], l.told(c))
		}
	}
	if skipped == len(l.cases) && l.step.Bound { // nobody has looked, and that is no pass
		says[api.Inconclusive], beside = beside, nil
	}
	f := Finding{Verdict: api.Passed, Seen: map[string]any{
		"cases": int64(len(l.cases)), "targets": int64(runs), "fresh": int64(fresh), "passed": int64(passed),
	}}
	f.Results = plainOf(f.Seen)
	parts := []string{fmt.Sprintf("%d of %d cases passed, %d results", passed, len(l.cases), runs)}
	for _, v := range []api.Verdict{api.Failed, api.Error, api.Inconclusive} {
		if len(says[v]) > 0 {
			f.Verdict, parts = v, says[v]
			break
		}
	}
	if fresh > 0 && f.Verdict == api.Passed {
		parts = append(parts, fmt.Sprintf("%d of them there already", fresh))
	}
	f.Message = strings.Join(append(parts, beside...), "; ")
	return f
}

// told names a case with each target that did not pass: node, code and message. What failed comes first, and who was not waited for is
// counted.
func (l *caseLook) told(c *oneCase) string {
	bad := map[api.Verdict][]string{}
	for _, t := range c.targets {
		bad[t.verdict] = append(bad[t.verdict], l.toldTarget(c, t))
	}
	named := slices.Concat(bad[api.Failed], bad[api.Error], bad[api.Inconclusive], bad[api.Skipped])
	text := strings.Join(named[:min(len(named), mostNamed)], "; ")
	if more := len(named) - mostNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if open := len(bad[""]); open > 0 {
		text += fmt.Sprintf("; %d were not waited for", open)
	}
	if c.part != "" && text != "" {
		text = "aimed at " + c.part + ": " + text
	}
	return text
}

var caseVerbs = map[api.Verdict]string{
	api.Failed: "failed", api.Error: "could not run", api.Inconclusive: "could not tell", api.Skipped: "had nothing to look at",
}

func (l *caseLook) toldTarget(c *oneCase, t *caseTarget) string {
	text := c.config.Name + " " + caseVerbs[t.verdict]
	switch {
	case t.name != "":
		text += " on " + t.name
	case t.node != "":
		text += " (ran on " + t.node + ")"
	}
	if t.verdict == api.Failed {
		if why := l.notBlamed(t); why != "" {
			text += " " + why + ", and is not blamed on it; now"
		}
	}
	for _, part := range []string{t.code, clip.Bytes(t.says, 300)} {
		if part != "" {
			text += ": " + part
		}
	}
	if t.run != "" {
		text += " (" + t.run + ")"
	}
	return text
}
