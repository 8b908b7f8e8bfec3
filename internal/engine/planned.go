package engine

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
)

// Refused says why the plan cannot run, or nil. A chart that does not render and a cluster that the worker has no
// context for are wrong input: fault.Invalid; everything else is fault.Refused. What is refused in several clusters with
// the same words is said once, with the first of them.
func (p *Planned) Refused() error {
	code, lines := p.refusals()
	if len(lines) == 0 {
		return nil
	}
	if p.TooBig != "" {
		return fault.New(code, "%s", p.TooBig)
	}
	return fault.New(code, "cannot run plan %.12s of %s %s:\n  %s", p.Hash, p.Plan.Subject, p.Plan.Version, strings.Join(lines, "\n  "))
}

// RefusedShortly is Refused for somebody who has the plan before his eyes: how much of it is refused, and by which rules.
func (p *Planned) RefusedShortly() error {
	code, lines := p.refusals()
	if len(lines) == 0 {
		return nil
	}
	if p.TooBig != "" {
		return fault.New(code, "cannot run plan %.12s: it is too big", p.Hash)
	}
	head := fmt.Sprintf("cannot run plan %.12s of %s %s: ", p.Hash, p.Plan.Subject, p.Plan.Version)
	if len(p.Undercuts) > 0 {
		head += "it undercuts " + few(p.undercutPolicies())
	}
	if p.Counts.Refused == 0 {
		return fault.New(code, "%s", head)
	}
	if len(p.Undercuts) > 0 {
		head += ", and is "
	}
	var rules []string
	said := map[api.Rule]bool{}
	for _, c := range p.Live.Clusters {
		for _, r := range c.Refusals {
			if !said[r.Rule] {
				said[r.Rule], rules = true, append(rules, string(r.Rule))
			}
		}
	}
	return fault.New(code, "%srefused in %d of %s (%s)", head, p.Counts.Refused, clusterCount(p.Plan.Units()), strings.Join(rules, ", "))
}

func (p *Planned) refusals() (fault.Code, []string) {
	if p.TooBig != "" {
		return fault.Refused, []string{p.TooBig}
	}
	code := fault.Refused
	undercuts := p.RefusedByPolicy()
	if p.Live == nil {
		return code, undercuts
	}
	var texts []string
	clusters := map[string][]string{}
	for _, c := range p.Live.Clusters {
		for _, r := range c.Refusals {
			if r.Rule == api.RuleRender || r.Rule == api.RuleContext { // the input is wrong, and not the change
				code = fault.Invalid
			}
			text := r.String()
			if clusters[text] == nil {
				texts = append(texts, text)
			}
			clusters[text] = append(clusters[text], c.Cluster)
		}
	}
	lines := make([]string, len(texts))
	for i, text := range texts {
		lines[i] = few(clusters[text]) + ": " + text
	}
	return code, append(undercuts, lines...)
}

// Idle says why there is nothing to do for a plan that was just made, or nil: every cluster was seen, none changes, and
// the ledger says of each that this very version is what was deployed there.
func (p *Planned) Idle() *NothingToDo {
	then := map[string]plan.WayBack{}
	for _, u := range p.Plan.AllUnits() {
		then[u.Cluster] = u.WayBack
	}
	return p.idle(then)
}

// Warnings are what somebody should read before anything else of the plan, each a sentence.
func (p *Planned) Warnings() []string {
	var all []string
	for _, b := range p.Busy {
		all = append(all, fmt.Sprintf("run %s (%s %s, by %s) moves %s of this plan now: %s; "+
			"what is seen here will have changed when it ends, and until then this plan cannot start",
			b.Run, b.Component, b.Version, b.By, clusterCount(len(b.Clusters)), few(b.Clusters)))
	}
	for _, b := range p.Bypasses {
		all = append(all, "may pass "+b.String())
	}
	return all
}

func clusterCount(n int) string {
	if n == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", n)
}
