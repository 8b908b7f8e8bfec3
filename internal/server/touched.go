package server

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// planObject is what a plan, and so a run of it, touches: each of its clusters, and of those that its tasks name, by its labels, and the
// namespaces of what was seen there. Where clusters are the fleet says, and the plan where that does not know.
func planObject(p *plan.Plan, live *plan.Live, fleet *engine.Fleet) access.Object {
	o := access.Object{Component: p.Subject.String()}
	known := map[string]bool{}
	for _, u := range p.Places() {
		if now, known := fleet.Cluster(u.Cluster); known {
			u = now
		}
		if !slices.Contains(o.Environments, u.Environment) {
			o.Environments = append(o.Environments, u.Environment)
		}
		labels := labelsOf(u)
		if key := fmt.Sprint(labels); !known[key] { // maps print in the order of their keys
			known[key] = true
			o.GroupLabels = append(o.GroupLabels, labels)
		}
	}
	o.Namespaces = namespacesOf(p, live)
	if len(o.Namespaces)*(len(o.GroupLabels)+len(o.Environments)) > access.MaxPlaces {
		o.Namespaces = nil
	}
	return o
}

// labelsOf are the labels by which scopes select where a cluster is.
func labelsOf(at plan.Place) map[string]string {
	labels := maps.Clone(at.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[pipelines.LabelName], labels[pipelines.LabelEnvironment] = at.Group, at.Environment
	return labels
}

// mayHave says why somebody has no right over a plan, as its clusters were seen.
func (s *server) mayHave(ctx context.Context, right pipelines.Right, p *plan.Plan, live *plan.Live, anyNamespace bool) error {
	fleet, err := s.fleets.now(ctx)
	if err != nil {
		return err
	}
	o := planObject(p, live, fleet)
	o.AnyNamespace = anyNamespace
	return s.may(ctx, right, o)
}

// namespacesOf are the namespaces that a plan touches, those of the pods of its checks among them; nil where it may be any, or what no
// namespace holds.
func namespacesOf(p *plan.Plan, live *plan.Live) []string {
	all := p.Namespaces(live)
	if all == nil {
		return nil
	}
	for _, made := range check.PodsOf(checksOf(p)) {
		if made.Namespace == "" {
			return nil
		}
		all = append(all, made.Namespace)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// both are the namespaces of two objects, of which nil may be any.
func both(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// checksOf are all checks of a plan, and what its tasks run.
func checksOf(p *plan.Plan) []pipelines.ResolvedCheck {
	all := slices.Clone(p.Checks)
	for i := range p.Stages {
		all = append(all, p.Stages[i].Rules.Checks...)
	}
	if p.Tasks != nil {
		for _, t := range slices.Concat(p.Tasks.First, p.Tasks.Finally) {
			all = append(all, t.Check)
		}
	}
	return all
}
