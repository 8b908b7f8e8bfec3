// Package policy judges plans by policies: which rules of which policies a plan undercuts, and where. It is pure: it asks no cluster, no
// clock and no store, and says nothing of rollbacks, which no policy refuses.
package policy

import (
	"cmp"
	"fmt"
	"slices"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// Case is a plan and what is known beside it.
type Case struct {
	Plan *plan.Plan
	Live *plan.Live // what was seen in the clusters; nil where nobody looked
	By   []string   // who made the plan, and who starts it
	// Templates are digests of what runs in clusters were rendered from, by the run that brought it there. What is missing is not known.
	Templates map[string]string
	// Draft is a plan that nobody made: a pipeline is judged by itself. What only a plan can tell is not held against it.
	Draft bool
}

// Broken is a rule of a policy that a plan undercuts.
type Broken struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`            // the field of the policy
	Stage  string `json:"stage,omitempty"` // of the pipeline; "" is the run as a whole
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
}

// String says all of it on one line.
func (b Broken) String() string {
	where := "the run"
	if b.Stage != "" {
		where = "stage " + b.Stage
	}
	return fmt.Sprintf("policy %s, %s: %s: wanted is %s, found is %s", b.Policy, b.Rule, where, b.Wanted, b.Found)
}

// Judge lists what a plan undercuts, by policy, rule and stage. Equal cases give equal answers.
func Judge(c Case, policies []*pipelines.Policy) []Broken {
	var all []Broken
	sorted := slices.SortedFunc(slices.Values(policies), func(a, b *pipelines.Policy) int {
		return cmp.Compare(a.Metadata.Name, b.Metadata.Name)
	})
	seen := map[string]*plan.ClusterDiff{}
	if c.Live != nil {
		for i := range c.Live.Clusters {
			seen[c.Live.Clusters[i].Cluster] = &c.Live.Clusters[i]
		}
	}
	for _, p := range sorted {
		j := &judge{Case: c, policy: p, spec: &p.Spec, seen: seen}
		if !j.concerned() {
			continue
		}
		for _, rule := range []func(){
			j.order, j.mustPass, j.firstGroup, j.concurrency, j.batches, j.soak, j.interval, j.failures, j.checks, j.windows, j.run, j.identity,
			j.review,
		} {
			rule()
		}
		all = append(all, j.found...)
	}
	return all
}

// judge holds one policy against a plan.
type judge struct {
	Case
	policy *pipelines.Policy
	spec   *pipelines.PolicySpec
	stages []*concern
	found  []Broken
	seen   map[string]*plan.ClusterDiff // by cluster
}

// concern is a stage that moves something of what the policy concerns.
type concern struct {
	*plan.StagePlan
	index int
	units []plan.Unit // of the stage that are concerned
}

// broken notes that a rule is undercut in a stage; "" is the run.
func (j *judge) broken(rule, stage, wanted, found string, args ...any) {
	j.found = append(j.found, Broken{j.policy.Metadata.Name, rule, stage, wanted, fmt.Sprintf(found, args...)})
}

// concerned gathers what the policy concerns, and reports whether that is anything.
func (j *judge) concerned() bool {
	if len(j.spec.Components) > 0 && !slices.Contains(j.spec.Components, j.Plan.Subject.String()) {
		return false
	}
	for i := range j.Plan.Stages {
		s := &concern{StagePlan: &j.Plan.Stages[i], index: i}
		for _, g := range s.Groups {
			for _, u := range g.Units {
				if j.concerns(&u) {
					s.units = append(s.units, u)
				}
			}
		}
		if len(s.units) > 0 {
			j.stages = append(j.stages, s)
		}
	}
	return len(j.stages) > 0
}

func (j *judge) concerns(u *plan.Unit) bool {
	return (len(j.spec.Environments) == 0 || slices.Contains(j.spec.Environments, u.Environment)) &&
		(j.spec.Clusters == nil || j.spec.Clusters.Matches(u.Labels, u.Cluster))
}

// moves counts the units of all stages that are concerned, and what a narrowed run leaves out of those that are concerned as a whole.
func (j *judge) moves() int {
	n := 0
	for _, s := range j.stages {
		if n += len(s.units); len(s.units) == s.Units() {
			n += s.WholeUnits() - s.Units()
		}
	}
	return n
}
