package pipelines

// ProbeCase runs cases of probes in the cluster of the unit, or takes what they have said of this change already, and goes by their
// verdicts. A case that failed before the change already holds the unit as well, as Inconclusive: the change has not done it.
type ProbeCase struct {
	Case string `json:"case,omitempty" is:"text"` // by its name in the cluster; one of case, set and bound
	Set  string `json:"set,omitempty" is:"text"`  // each case of a ProbeSet that the cluster has
	// each case that is bound to the cluster: after a batch those about nodes, or that answer to what a batch does, if there are any.
	// A case whose enforcement is Advisory only reports
	Bound  bool       `json:"bound,omitempty"`
	Target CaseTarget `json:"target,omitempty"` // default cluster
	// so many of the nodes must pass that a case is about; default 100%
	AtLeast *Amount `json:"atLeast,omitempty"`
	// a pass that is younger, and was begun after the pods of the new revision were ready, is taken instead of a run; default: none is
	Freshness *Duration `json:"freshness,omitempty"`
}

// CaseTarget is what the cases of a step are run for.
type CaseTarget string

// The targets: what the case itself says, of nodes so many as it samples; or the nodes that have a pod of the new revision, at most 50
// of them, those of the youngest pods.
const (
	CaseOfCluster  CaseTarget = "cluster"
	CaseOfNewNodes CaseTarget = "newNodes"
)

func (CaseTarget) values() []string { return []string{string(CaseOfCluster), string(CaseOfNewNodes)} }

func lintProbeCase(l *linter, s *Step, at spot) {
	p := s.Probe
	named := 0
	for _, field := range []string{"case", "set", "bound"} {
		if at.has(field) {
			named++
		}
	}
	switch {
	case named != 1:
		l.report.addAt(at, "it runs one of case, set and bound")
	case at.has("bound") && !p.Bound:
		l.report.addAt(at.key("bound"), "bound is true, or not there: it would run nothing")
	}
	if p.AtLeast != nil && p.AtLeast.Value == 0 {
		l.report.addAt(at.at("atLeast"), "atLeast must be above 0: it could not fail")
	}
	l.wait(p.Freshness, at.at("freshness"), "freshness")
}
