package change

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// render renders the component of a plan for its cluster.
func (c Comparer) render(ctx context.Context, caps kube.Capabilities, s *specs) error {
	source, err := c.Records.Blob(ctx, c.Plan.Source.Template)
	if err != nil {
		return err
	}
	var values map[string]any
	if err := Load(ctx, c.Records, c.Unit.Values, &values); err != nil {
		return err
	}
	unit := c.Unit
	out, err := templates.Render(templates.Input{
		Source: source, Kind: templates.Kind(c.Plan.Source.Kind), Component: c.Plan.Subject.String(), Version: c.Plan.Version,
		Namespace: c.Plan.Source.Namespace, Values: values, KubeVersion: caps.Version, APIVersions: caps.APIVersions,
		Namespaced: c.namespaced(ctx), SkipHooks: c.Plan.Source.SkipHooks, WorkloadOrder: c.Plan.Source.WorkloadOrder,
		Place: pipelines.Place{
			Cluster: unit.Cluster, Group: unit.Group, Environment: unit.Environment, BusinessSide: unit.BusinessSide,
			NetworkDomain: unit.NetworkDomain, Region: unit.Region, Labels: unit.Labels,
		},
	})
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot render component %s %s for cluster %s", c.Plan.Subject, c.Plan.Version, unit.Cluster)
	}
	s.phases, s.targetDigest, s.version = out.Phases, unit.Target, c.Plan.Version
	s.reaches = map[string]string{}
	for _, r := range out.ReachesAtOnce {
		s.reaches[r.Object] = r.Reason
		if r.Unnamed {
			continue // it is said where it changes: a chart may have dozens
		}
		s.notes = append(s.notes, r.Object+" reaches the whole cluster at once: "+r.Reason)
	}
	for _, h := range out.SkippedHooks {
		s.notes = append(s.notes, "hook "+h.Object+" ("+h.Events+") is left out")
	}
	return nil
}

// namespaced asks the cluster whether it serves a kind, and whether that lives in a namespace.
func (c Comparer) namespaced(ctx context.Context) func(schema.GroupVersionKind) (namespaced, known bool) {
	return func(gvk schema.GroupVersionKind) (bool, bool) {
		m, err := c.Cluster.Mapping(ctx, gvk)
		return m.Namespaced, err == nil
	}
}
