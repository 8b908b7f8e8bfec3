package cluster

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// specs are the specs of all objects of a component in a cluster, but for the live ones.
type specs struct {
	phases       []templates.Phase
	recorded     map[string]*unstructured.Unstructured   // by ID: as the last successful deployment left it
	base         map[string]*unstructured.Unstructured   // by ID: as our own later writes left it last; nil where they took it away
	gone         []*unstructured.Unstructured            // recorded, and not in the target
	intents      map[string][]*unstructured.Unstructured // by ID: what our own writes since then meant to leave
	reaches      map[string]string                       // by Kind/namespace/name: why a change is not held back by batches
	found        map[string]foundWorkload                // by ID, on the way back: workloads that no deployment had recorded
	unknown      []string                                // on the way back: workloads that were found, and of which nobody kept how
	era          era                                     // where nothing was recorded before
	targetDigest string
	version      string
	notes        []string
}

func (s specs) all() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, p := range s.phases {
		out = append(out, p.Objects...)
	}
	return out
}

// previous is the recorded object that a digest-named one takes the place of.
func (s specs) previous(o *unstructured.Unstructured) *unstructured.Unstructured {
	base := o.GetAnnotations()[templates.BaseNameAnnotation]
	if base == "" {
		return nil
	}
	for _, r := range s.gone {
		if r.GetKind() == o.GetKind() && r.GetNamespace() == o.GetNamespace() && r.GetAnnotations()[templates.BaseNameAnnotation] == base {
			return r
		}
	}
	return nil
}

// foundWorkload is a workload on its way back to what it was before Sluice.
type foundWorkload struct {
	foundObject
	image *unstructured.Unstructured
}

// specs returns what should be and what was recorded. On the way back what was recorded before the run is what should be, with
// the workloads that the run found.
func (a *Activities) specs(ctx context.Context, c *kube.Cluster, caps kube.Capabilities, p *plan.Plan, unit *plan.Unit, ref step.Ref) (specs, error) {
	var s specs
	recorded, err := a.objects(ctx, unit.WayBack.Objects)
	if err != nil {
		return s, err
	}
	if ref.Back {
		if p.Rollback == pipelines.RollbackNever {
			return s, fault.New(fault.Refused, "cannot take %s back: component %s says rollback: Never", ref.Cluster, p.Component)
		}
		if err := a.foundWorkloads(ctx, ref, recorded, &s); err != nil {
			return s, err
		}
		all := slices.Clone(recorded)
		for _, id := range slices.Sorted(maps.Keys(s.found)) {
			all = append(all, patch.Earlier(s.found[id].last(), s.found[id].image))
		}
		s.phases = templates.Phases(all, p.Source.WorkloadOrder)
		s.targetDigest, s.version = unit.WayBack.Target, unit.WayBack.Version
		if recorded, err = a.present(ctx, ref); err != nil {
			return s, err
		}
	} else if err := a.render(ctx, c, caps, p, unit, &s); err != nil {
		return s, err
	}
	s.recorded = byID(recorded)
	for id, f := range s.found {
		s.recorded[id] = f.last()
	}
	target := byID(s.all())
	for _, o := range recorded {
		if target[templates.ID(o)] == nil {
			s.gone = append(s.gone, o)
		}
	}
	if err := a.intents(ctx, ref, unit, &s); err != nil {
		return s, err
	}
	for id, o := range s.recorded {
		s.intents[id] = append(s.intents[id], o)
	}
	return s, nil
}

// written is what a three-way merge takes as recorded: what our own later writes added has to go as well.
func (s specs) written(id string) *unstructured.Unstructured {
	if o, ours := s.base[id]; ours {
		return o
	}
	return s.recorded[id]
}

func (a *Activities) render(ctx context.Context, c *kube.Cluster, caps kube.Capabilities, p *plan.Plan, unit *plan.Unit, s *specs) error {
	source, err := a.Ledger.Blob(ctx, p.Source.Template)
	if err != nil {
		return err
	}
	data, err := a.Ledger.Blob(ctx, unit.Values)
	if err != nil {
		return err
	}
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot read values %s", unit.Values)
	}
	out, err := templates.Render(templates.Input{
		Source: source, Kind: templates.Kind(p.Source.Kind), Component: p.Component, Version: p.Version, Namespace: p.Source.Namespace,
		Values: values, KubeVersion: caps.Version, APIVersions: caps.APIVersions, Namespaced: namespaced(ctx, c),
		SkipHooks: p.Source.SkipHooks, WorkloadOrder: p.Source.WorkloadOrder,
		Place: templates.Place{
			Cluster: unit.Cluster, Group: unit.Group, Environment: unit.Environment, BusinessSide: unit.BusinessSide,
			NetworkDomain: unit.NetworkDomain, Region: unit.Region,
		},
	})
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot render component %s %s for cluster %s", p.Component, p.Version, unit.Cluster)
	}
	s.phases, s.targetDigest, s.version = out.Phases, unit.Target, p.Version
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

// foundWorkloads collects the workloads that the run to be taken back found, of which a driver knows the kind.
func (a *Activities) foundWorkloads(ctx context.Context, ref step.Ref, recorded []*unstructured.Unstructured, s *specs) error {
	e, err := a.eraOf(ctx, ref, ref.BackOf)
	if err != nil {
		return err
	}
	known := byID(recorded)
	all, err := a.foundObjects(ctx, e, func(o *unstructured.Unstructured) bool {
		return known[templates.ID(o)] != nil || !isDriven(o)
	})
	if err != nil {
		return err
	}
	for _, w := range e.writes {
		if w.Step != stepPrepare || w.Created || !e.unseen(w.Object) {
			continue
		}
		if o, err := a.intended(ctx, w); err != nil || known[w.Object] == nil {
			if err != nil {
				return err
			}
			s.unknown = append(s.unknown, templates.Name(o))
		}
	}
	s.found = map[string]foundWorkload{}
	for _, f := range all {
		image, err := a.imageOf(ctx, f.before)
		if err != nil {
			return err
		}
		s.found[f.id] = foundWorkload{f, image}
	}
	return nil
}

// namespaced asks a cluster whether it serves a kind, and whether that lives in a namespace.
func namespaced(ctx context.Context, c *kube.Cluster) func(schema.GroupVersionKind) (namespaced, known bool) {
	return func(gvk schema.GroupVersionKind) (bool, bool) {
		m, err := c.Mapping(ctx, gvk)
		return m.Namespaced, err == nil
	}
}

// objects reads a recorded set; none where the digest is empty.
func (a *Activities) objects(ctx context.Context, digest string) ([]*unstructured.Unstructured, error) {
	if digest == "" {
		return nil, nil
	}
	data, err := a.Ledger.Blob(ctx, digest)
	if err != nil {
		return nil, err
	}
	objects, err := templates.Decode(data)
	return objects, fault.Wrap(fault.Internal, err, "cannot read recorded objects %s", digest)
}

func (a *Activities) putObjects(ctx context.Context, objects []*unstructured.Unstructured) (string, error) {
	data, err := templates.Encode(objects)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode objects")
	}
	return a.Ledger.PutBlob(ctx, data)
}

// present reads what the ledger says runs now.
func (a *Activities) present(ctx context.Context, ref step.Ref) ([]*unstructured.Unstructured, error) {
	d, err := a.Ledger.Deployment(ctx, ref.Cluster, ref.Component)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil // the run that is taken back never came to record one
	}
	if err != nil {
		return nil, err
	}
	return a.objects(ctx, d.Objects)
}

// maxRunsBack is how many runs are searched for writes that never became a deployment.
const maxRunsBack = 50

// intents collects, and keeps the latest as the base of the merge, what our own writes since the recorded deployment meant to leave: those of this run, and those of
// runs that were aborted or failed here. Such work is ours and half done, not drift.
func (a *Activities) intents(ctx context.Context, ref step.Ref, unit *plan.Unit, s *specs) error {
	runs, err := a.Ledger.ListRuns(ctx, ref.Component, maxRunsBack)
	if err != nil {
		return err
	}
	e, err := a.eraOf(ctx, ref, ref.Run)
	if err != nil {
		return err
	}
	s.intents, s.base = map[string][]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for _, run := range runs {
		if run.Name == unit.WayBack.Run {
			break
		}
		writes, err := a.Ledger.ListWrites(ctx, run.Name, ref.Cluster)
		if err != nil {
			return err
		}
		last := map[string]*unstructured.Unstructured{}
		for _, w := range writes {
			o, err := a.intended(ctx, w)
			if err != nil {
				return err
			}
			s.intents[w.Object] = append(s.intents[w.Object], o)
			last[w.Object] = o
			if w.Step == stepDelete {
				last[w.Object] = nil // we took it away ourselves: that it is not there is no drift
			}
		}
		for id, o := range last {
			// Runs come newest first, and what this run wrote itself is what it is about to write again.
			if _, decided := s.base[id]; !decided && run.Name != ref.Run && (s.recorded[id] != nil || !e.givenBack(id)) {
				s.base[id] = o
			}
		}
	}
	return nil
}

func (a *Activities) intended(ctx context.Context, w ledger.Write) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	return o, a.getJSON(ctx, w.Intent, &o.Object)
}
