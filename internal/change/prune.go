package change

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
	"sluice.dev/sluice/templates"
)

// Configuration goes under names with a digest, and each version of it leaves an object behind. These are needed for as long as a
// recorded version, what was found, or a controller's own history of pod templates names them.

// mostPruned bounds how many objects one unit looks at; the next run goes on.
const mostPruned = 100

// leftOver lists the digest-named objects of earlier versions, as the records know them, that neither the version that comes nor
// the one that it would go back to has. It asks no cluster.
func (c Comparer) leftOver(ctx context.Context, s specs) ([]string, error) {
	made, err := c.Records.ListMade(ctx, c.Part.Cluster, c.Part.Subject)
	if err != nil {
		return nil, err
	}
	needed := byID(s.all())
	var left []string
	for _, w := range made {
		if needed[w.Object] != nil || s.recorded[w.Object] != nil || !mayBeConfig(w) || len(left) == mostPruned {
			continue
		}
		o, err := intended(ctx, c.Records, w)
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

// Prune looks at digest-named objects, Kind/namespace/name, that earlier versions left behind, and takes away those that nothing
// needs any more where it is told to remove them. What it cannot be sure of stays: an object that is not as Sluice made it, or
// that a pod template names which a controller of the namespace still keeps.
func (w Writer) Prune(ctx context.Context, names []string, remove bool) (done Entries, err error) {
	e, err := eraOf(ctx, w.Records, w.Part, w.Part.Run)
	if err != nil {
		return done, err
	}
	found, err := usedByFound(ctx, w.Records, e)
	if err != nil {
		return done, err
	}
	used := uses{cluster: w.Cluster, names: found, looked: map[string]bool{}}
	for _, name := range names {
		entry, err := w.prune(ctx, name, &used, remove)
		if err != nil {
			return done, err
		}
		done.add(entry)
	}
	return done, nil
}

func (w Writer) prune(ctx context.Context, name string, used *uses, remove bool) (Entry, error) {
	o, ok := configNamed(name)
	if !ok {
		return Entry{}, fault.New(fault.Invalid, "cannot prune %s: it is no ConfigMap or Secret in a namespace", name)
	}
	live, err := get(ctx, w.Cluster, o)
	switch {
	case err != nil:
		return Entry{}, err
	case live == nil: // somebody else took it away: it is not looked for again
		return Entry{}, w.meanTo(ctx, stepDelete, o)
	}
	has := live.GetAnnotations()
	if has[templates.ComponentAnnotation] != w.Part.Subject.String() || has[templates.BaseNameAnnotation] == "" {
		return Entry{}, nil
	}
	switch needed, err := used.has(ctx, o.GetNamespace(), name); {
	case err != nil || needed:
		return Entry{}, err
	case !remove:
		return Entry{Object: name, Action: Unneeded}, nil
	}
	if err := w.meanTo(ctx, stepDelete, live); err != nil {
		return Entry{}, err
	}
	err = w.Cluster.Delete(ctx, live.GroupVersionKind(), live.GetNamespace(), live.GetName(), live.GetUID())
	if code := fault.CodeOf(err); err != nil && code != fault.NotFound && code != fault.Conflict {
		return Entry{}, err
	}
	return Entry{Object: name, Action: Deleted}, nil
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

// uses is the configuration that pod templates name; a namespace is looked at once it is asked about.
type uses struct {
	cluster Cluster
	names   []string
	looked  map[string]bool
}

func (u *uses) has(ctx context.Context, namespace, name string) (bool, error) {
	if !u.looked[namespace] {
		u.looked[namespace] = true
		more, err := usedByHistory(ctx, u.cluster, namespace)
		if err != nil {
			return false, err
		}
		u.names = append(u.names, more...)
	}
	return slices.Contains(u.names, name), nil
}

// usedByFound lists what the pod templates name that were there before this era: they may have to come back.
func usedByFound(ctx context.Context, blobs Blobs, e era) ([]string, error) {
	var used []string
	for _, p := range e.images {
		if p.Image == "" {
			continue
		}
		o, err := imageOf(ctx, blobs, p)
		if err != nil {
			return nil, err
		}
		used = append(used, templates.UsedConfig(o)...)
	}
	return used, nil
}

// usedByHistory lists what the pod templates name that controllers keep in a namespace: those of pods that still run, and those
// that somebody may undo to.
func usedByHistory(ctx context.Context, c Cluster, namespace string) ([]string, error) {
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
