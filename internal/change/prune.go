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

// leftOver lists what earlier versions left behind, as the records know it: digest-named objects that neither the version that comes nor
// the one that it would go back to has, and of probes whatever the version that comes has not. It asks no cluster.
func (c Comparer) leftOver(ctx context.Context, s specs) ([]string, error) {
	made, err := c.Records.ListMade(ctx, c.Part.Cluster, c.Part.Subject)
	if err != nil {
		return nil, err
	}
	needed := byID(s.all())
	var left []string
	for _, w := range made {
		ofProbe := c.Plan.Source.Kind == plan.KindProbes && mayBeOfProbe(w)
		config := mayBeConfig(w) && s.recorded[w.Object] == nil
		if needed[w.Object] != nil || !ofProbe && !config || len(left) == mostPruned {
			continue
		}
		o, err := intended(ctx, c.Records, w)
		if err != nil {
			return nil, err
		}
		name := templates.Name(o)
		if (ofProbe || o.GetAnnotations()[templates.BaseNameAnnotation] != "") && !slices.Contains(left, name) {
			left = append(left, name)
		}
	}
	slices.SortStableFunc(left, casesFirst)
	return left, nil
}

// mayBeConfig says by its identity alone whether a written object can be a ConfigMap or Secret.
func mayBeConfig(w ledger.Write) bool {
	return strings.HasPrefix(w.Object, "/ConfigMap/") || strings.HasPrefix(w.Object, "/Secret/")
}

// ofProbes are the kinds of objects of which each is about one case, or about all that a component has: they are of no use without.
var ofProbes = map[string]schema.GroupVersionKind{
	"ProbeConfig":        {Group: "sluice.dev", Version: "v1alpha1", Kind: "ProbeConfig"},
	"ServiceAccount":     {Version: "v1", Kind: "ServiceAccount"},
	"Role":               {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	"RoleBinding":        {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	"ClusterRole":        {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
	"ClusterRoleBinding": {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
	"ResourceQuota":      {Version: "v1", Kind: "ResourceQuota"},
}

// mayBeOfProbe says by its identity alone whether a written object can be one that a case has.
func mayBeOfProbe(w ledger.Write) bool {
	part := strings.SplitN(w.Object, "/", 3)
	return len(part) == 3 && ofProbes[part[1]].Group == part[0] && ofProbes[part[1]].Kind == part[1]
}

func isCase(name string) bool { return strings.HasPrefix(name, "ProbeConfig/") }

// casesFirst puts cases before the accounts that they run with.
func casesFirst(a, b string) int {
	switch {
	case isCase(a) == isCase(b):
		return 0
	case isCase(a):
		return -1
	}
	return 1
}

// noteLeftOver says which objects of earlier versions a run leaves behind, or takes away.
func noteLeftOver(out *plan.ClusterDiff, left []string, prune bool) {
	probes := slices.DeleteFunc(slices.Clone(left), func(name string) bool { return !isOfProbe(name) })
	if len(probes) > 0 {
		does := "stay, and cases among them go on running; the component can say prune: true"
		if prune {
			does = "are taken away at the end"
		}
		out.Notes = append(out.Notes, "objects of cases that are bound no more "+does+": "+strings.Join(probes, ", "))
	}
	if left = slices.DeleteFunc(slices.Clone(left), isOfProbe); len(left) == 0 {
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
	o, ok := prunable(name)
	if !ok {
		return Entry{}, fault.New(fault.Invalid, "cannot prune %s: it is no ConfigMap or Secret in a namespace, and of no probe", name)
	}
	live, err := get(ctx, w.Cluster, o)
	switch {
	case err != nil:
		return Entry{}, err
	case live == nil: // somebody else took it away: it is not looked for again
		return Entry{}, w.meanTo(ctx, stepDelete, o)
	}
	has := live.GetAnnotations()
	if has[templates.ComponentAnnotation] != w.Part.Subject.String() || !isOfProbe(name) && has[templates.BaseNameAnnotation] == "" {
		return Entry{}, nil
	}
	if !isOfProbe(name) {
		if needed, err := used.has(ctx, o.GetNamespace(), name); err != nil || needed {
			return Entry{}, err
		}
	}
	if !remove {
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

// isOfProbe reports whether a name as people read it is that of an object which a case has.
func isOfProbe(name string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return ofProbes[kind].Kind != ""
}

// prunable is the ConfigMap or Secret, or the object of a case, of a name as people read it: Kind/namespace/name, or Kind/name.
func prunable(name string) (*unstructured.Unstructured, bool) {
	part := strings.Split(name, "/")
	if gvk, ok := ofProbes[part[0]]; ok && (len(part) == 2 || len(part) == 3) {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(gvk)
		o.SetName(part[len(part)-1])
		if len(part) == 3 {
			o.SetNamespace(part[1])
		}
		return o, true
	}
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
