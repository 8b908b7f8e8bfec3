package plan

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/fault"
)

// LeftOut is a cluster of a stage that a narrowed run leaves out.
type LeftOut struct {
	Cluster string `json:"cluster"`
	// Environment is that of its cluster group; "" in plans from before it was noted.
	Environment string `json:"environment,omitempty"`
	Target      string `json:"target"`           // what would run there
	Passed      bool   `json:"passed,omitempty"` // it runs there, and has passed its stage
}

// Bypass is a stage that a narrowed run goes past, wholly or in part, although this component version has not passed it.
type Bypass struct {
	Stage    string   `json:"stage"`
	Clusters []string `json:"clusters"` // that are left out and have not passed
	Whole    bool     `json:"whole,omitempty"`
	Reason   string   `json:"reason,omitempty"` // given with the plan
}

// Text says what is bypassed.
func (b Bypass) Text(version string) string {
	if b.Whole {
		return fmt.Sprintf("stage %s is left out, and %s has not passed it in %s", b.Stage, version, names(b.Clusters))
	}
	return fmt.Sprintf("stage %s goes without %s, which %s has not passed", b.Stage, names(b.Clusters), version)
}

func bypassReason(p *Plan) string {
	if reason := p.BypassReason(); reason != "" {
		return "bypassed because: " + reason
	}
	return "a run of it has to give a reason (--reason)"
}

// BypassReason is the reason that was given with the plan for going past stages; "" where there was none.
func (p *Plan) BypassReason() string {
	for _, b := range p.Bypasses {
		return b.Reason
	}
	return ""
}

// leftOut notes the clusters that a narrowed run leaves out, and whether this version has passed there.
func (b *builder) leftOut(p *Plan, places []*placement) ([]LeftOut, error) {
	var all []LeftOut
	for _, out := range places {
		place := out.rendered(p.Source.Kind)
		values, err := b.in.Values(place)
		if err != nil {
			return nil, fault.Wrap(fault.CodeOf(err), err, "cannot merge the values of cluster %s", out.Cluster)
		}
		target := targetDigest(p, place, values)
		all = append(all, LeftOut{Cluster: out.Cluster, Environment: out.Environment, Target: target, Passed: b.in.Passed[out.Cluster] == target})
	}
	return all, nil
}

// bypasses lists what the run goes past: of every stage before the last that has units, what is left out and has not passed.
// What later stages leave out is no matter, and dropped.
func (b *builder) bypasses(p *Plan, reason string) []Bypass {
	var all []Bypass
	last := 0
	for i := range p.Stages {
		if p.Stages[i].Skipped == "" {
			last = i
		}
	}
	for i := range p.Stages {
		p.Partial = p.Partial || slices.ContainsFunc(p.Stages[i].LeftOut, func(out LeftOut) bool { return !out.Passed })
	}
	for i := last; i < len(p.Stages); i++ {
		p.Stages[i].LeftOut = nil // nothing comes after it
	}
	for i := range p.Stages[:last] {
		s := &p.Stages[i]
		bypass := Bypass{Stage: s.Name, Whole: s.Skipped != "", Reason: reason}
		for _, out := range s.LeftOut {
			if !out.Passed {
				bypass.Clusters = append(bypass.Clusters, out.Cluster)
			}
		}
		if len(bypass.Clusters) > 0 {
			all = append(all, bypass)
		}
	}
	return all
}
