package change

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/patch"
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

// foundWorkload is a workload on its way back to what it was before Sluice.
type foundWorkload struct {
	foundObject
	image *unstructured.Unstructured
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

// written is what a three-way merge takes as recorded: what our own later writes added has to go as well.
func (s specs) written(id string) *unstructured.Unstructured {
	if o, ours := s.base[id]; ours {
		return o
	}
	return s.recorded[id]
}

// brings reports whether the render itself has the CRD of a kind that the cluster does not serve yet.
func (s specs) brings(gvk schema.GroupVersionKind) bool {
	for _, o := range s.all() {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		if group == gvk.Group && kind == gvk.Kind {
			return true
		}
	}
	return false
}

// specsOf returns what should be and what was recorded. On the way back what was recorded before the run is what should be, with
// the workloads that the run found.
func (c Comparer) specsOf(ctx context.Context, caps kube.Capabilities) (specs, error) {
	var s specs
	recorded, err := Objects(ctx, c.Records, c.Unit.WayBack.Objects)
	if err != nil {
		return s, err
	}
	if c.Part.Back {
		recorded, err = c.turn(ctx, recorded, &s)
	} else {
		err = c.render(ctx, caps, &s)
	}
	if err != nil {
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
	if err := c.ownWrites(ctx, &s); err != nil {
		return s, err
	}
	for id, o := range s.recorded {
		s.intents[id] = append(s.intents[id], o)
	}
	return s, nil
}

// turn makes what was recorded before a run what should be. It returns what is recorded now.
func (c Comparer) turn(ctx context.Context, before []*unstructured.Unstructured, s *specs) ([]*unstructured.Unstructured, error) {
	if c.Plan.Rollback == pipelines.RollbackNever {
		return nil, fault.New(fault.Refused, "cannot take %s back: component %s says rollback: Never", c.Part.Cluster, c.Plan.Subject)
	}
	if err := c.foundWorkloads(ctx, before, s); err != nil {
		return nil, err
	}
	all := slices.Clone(before)
	for _, id := range slices.Sorted(maps.Keys(s.found)) {
		all = append(all, patch.Earlier(s.found[id].last(), s.found[id].image))
	}
	s.phases = templates.Phases(all, c.Plan.Source.WorkloadOrder)
	s.targetDigest, s.version = c.Unit.WayBack.Target, c.Unit.WayBack.Version
	present, err := c.Records.Deployment(ctx, c.Part.Cluster, c.Part.Subject)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil // the run that is taken back never came to record one
	}
	if err != nil {
		return nil, err
	}
	return Objects(ctx, c.Records, present.Objects)
}

// foundWorkloads collects the workloads that the run to be taken back found, of which a driver knows the kind.
func (c Comparer) foundWorkloads(ctx context.Context, recorded []*unstructured.Unstructured, s *specs) error {
	e, err := eraOf(ctx, c.Records, c.Part, c.Part.BackOf)
	if err != nil {
		return err
	}
	known := byID(recorded)
	all, err := foundObjects(ctx, c.Records, e, func(o *unstructured.Unstructured) bool {
		return known[templates.ID(o)] != nil || !isDriven(o)
	})
	if err != nil {
		return err
	}
	for _, w := range e.writes {
		if w.Step != stepPrepare || w.Created || !e.unseen(w.Object) {
			continue
		}
		if o, err := intended(ctx, c.Records, w); err != nil || known[w.Object] == nil {
			if err != nil {
				return err
			}
			s.unknown = append(s.unknown, templates.Name(o))
		}
	}
	s.found = map[string]foundWorkload{}
	for _, f := range all {
		image, err := imageOf(ctx, c.Records, f.before)
		if err != nil {
			return err
		}
		s.found[f.id] = foundWorkload{f, image}
	}
	return nil
}
