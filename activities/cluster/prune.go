package cluster

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/templates"
)

// Configuration goes under names with a digest, and each version of it leaves an object behind. These are needed for as long as a
// recorded version, what was found, or a controller's own history of pod templates names them.

// mostPruned bounds how many objects one unit looks at; the next run goes on.
const mostPruned = 100

// leftOver lists the digest-named objects of earlier versions, as the ledger knows them, that neither the version that comes nor
// the one that it would go back to has. It asks no cluster.
func (a *Activities) leftOver(ctx context.Context, ref step.Ref, s specs) ([]string, error) {
	made, err := a.Ledger.ListMade(ctx, ref.Cluster, ref.Component)
	if err != nil {
		return nil, err
	}
	needed := byID(s.all())
	var left []string
	for _, w := range made {
		if needed[w.Object] != nil || s.recorded[w.Object] != nil || !mayBeConfig(w) || len(left) == mostPruned {
			continue
		}
		o, err := a.intended(ctx, w)
		if err != nil {
			return nil, err
		}
		if name := templates.Name(o); o.GetAnnotations()[templates.BaseNameAnnotation] != "" && !slices.Contains(left, name) {
			left = append(left, name)
		}
	}
	return left, nil
}

// mayBeConfig says by its identity alone whether a written object can be a ConfigMap or Secret.
func mayBeConfig(w ledger.Write) bool {
	return strings.HasPrefix(w.Object, "/ConfigMap/") || strings.HasPrefix(w.Object, "/Secret/")
}

// Prune looks at digest-named objects that earlier versions left behind, and takes away those that nothing needs any more where
// it is told to. What it cannot be sure of stays: an object that is not as Sluice made it, or that a pod template names which a
// controller of the namespace still keeps.
func (a *Activities) Prune(ctx context.Context, req step.PruneRequest) (out step.PruneResult, err error) {
	ctx, c, done, err := a.fence(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	defer done(&err)
	e, err := a.eraOf(ctx, req.Ref, req.Run)
	if err != nil {
		return out, err
	}
	used, err := a.usedByFound(ctx, e)
	if err != nil {
		return out, err
	}
	looked := map[string]bool{}
	for _, name := range req.Objects {
		o, ok := configNamed(name)
		if !ok {
			return out, fault.New(fault.Invalid, "cannot prune %s: it is no ConfigMap or Secret in a namespace", name)
		}
		live, err := get(ctx, c, o)
		if err != nil {
			return out, err
		}
		if live == nil {
			// Somebody else took it away: it is not looked for again.
			if err := a.gone(ctx, req.Ref, o); err != nil {
				return out, err
			}
			continue
		}
		if live.GetAnnotations()[templates.ComponentAnnotation] != req.Component || live.GetAnnotations()[templates.BaseNameAnnotation] == "" {
			continue
		}
		if !looked[o.GetNamespace()] {
			looked[o.GetNamespace()] = true
			more, err := usedByHistory(ctx, c, o.GetNamespace())
			if err != nil {
				return out, err
			}
			used = append(used, more...)
		}
		if slices.Contains(used, name) {
			continue
		}
		if !req.Delete {
			out.Unneeded = append(out.Unneeded, name)
			continue
		}
		if err := a.gone(ctx, req.Ref, live); err != nil {
			return out, err
		}
		err = c.Delete(ctx, live.GroupVersionKind(), live.GetNamespace(), live.GetName(), live.GetUID())
		if code := fault.CodeOf(err); err != nil && code != fault.NotFound && code != fault.Conflict {
			return out, err
		}
		out.Pruned = append(out.Pruned, name)
	}
	return out, nil
}

// gone records that an object is taken away.
func (a *Activities) gone(ctx context.Context, ref step.Ref, o *unstructured.Unstructured) error {
	_, err := a.intend(ctx, ref, stepDelete, o, making{})
	return err
}

// configNamed is the ConfigMap or Secret of a name as people read it: Kind/namespace/name.
func configNamed(name string) (*unstructured.Unstructured, bool) {
	part := strings.Split(name, "/")
	if len(part) != 3 || part[0] != "ConfigMap" && part[0] != "Secret" {
		return nil, false
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: part[0]})
	o.SetNamespace(part[1])
	o.SetName(part[2])
	return o, true
}

// usedByFound lists what the pod templates name that were there before this era: they may have to come back.
func (a *Activities) usedByFound(ctx context.Context, e era) ([]string, error) {
	var used []string
	for _, p := range e.images {
		if p.Image == "" {
			continue
		}
		o, err := a.imageOf(ctx, p)
		if err != nil {
			return nil, err
		}
		used = append(used, templates.UsedConfig(o)...)
	}
	return used, nil
}

// usedByHistory lists what the pod templates name that controllers keep in a namespace: those of pods that still run, and those
// that somebody may undo to.
func usedByHistory(ctx context.Context, c kube.Reader, namespace string) ([]string, error) {
	var used []string
	for _, kind := range []string{"ReplicaSet", "ControllerRevision"} {
		all, err := c.List(ctx, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: kind}, namespace, kube.Filter{})
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			if data, ok := o.Object["data"].(map[string]any); ok {
				o = &unstructured.Unstructured{Object: map[string]any{"metadata": o.Object["metadata"], "spec": data["spec"]}}
			}
			used = append(used, templates.UsedConfig(o)...)
		}
	}
	return used, nil
}

// noteLeftOver says which objects of earlier versions a run leaves behind, or takes away.
func noteLeftOver(out *plan.ClusterDiff, left []string, prune bool) {
	if len(left) == 0 {
		return
	}
	does := "stays; the component can say prune: true"
	if prune {
		does = "is taken away at the end, where no controller keeps a pod template that names it"
	}
	out.Notes = append(out.Notes, "configuration of earlier versions "+does+": "+strings.Join(left, ", "))
}
