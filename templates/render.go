package templates

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// hookAnnotation marks an object that Helm would run at some moment instead of keeping it.
const hookAnnotation = "helm.sh/hook"

// ownNamespaces are there in every cluster.
var ownNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// Render renders a component for a place. Equal input gives equal output. Every error is a *RenderError.
//
// A chart is always rendered as a first installation (.Release.IsInstall, revision 1): there is one target, whatever
// was there before. CRDs in a chart's crds/ folder are objects like others. Where something is rendered into the release
// namespace and the render has no Namespace object for it, one is added, marked Generated: a cluster that sees the
// component for the first time needs it.
func Render(in Input) (*Rendered, error) {
	capabilities, err := capabilitiesOf(in)
	if err != nil {
		return nil, err
	}
	files, err := unpack(in.Source)
	if err != nil {
		return nil, err
	}
	objects, err := objectsOf(in, files, capabilities)
	if err != nil {
		return nil, err
	}
	rendered := &Rendered{}
	objects, rendered.SkippedHooks, err = takeHooks(objects, in.SkipHooks)
	if err != nil {
		return nil, err
	}
	setNamespaces(objects, in)
	if err := checkIdentities(objects); err != nil {
		return nil, err
	}
	if rendered.ReachesAtOnce, err = nameByDigest(objects, in); err != nil {
		return nil, err
	}
	objects = addNamespace(objects, in)
	if err := checkIdentities(objects); err != nil {
		return nil, err
	}
	for _, object := range objects {
		label(object.Unstructured, ManagedByLabel, ManagedBy)
		annotate(object.Unstructured, ComponentAnnotation, in.Component)
	}
	rendered.arrange(objects, in.WorkloadOrder)
	return rendered, nil
}

// objectsOf are the objects that files stand for, as they were written.
func objectsOf(in Input, files []file, capabilities *chartutil.Capabilities) ([]Object, error) {
	if in.Kind == Probes {
		return renderProbes(in, files)
	}
	output, err := renderFiles(in, files, capabilities)
	if err != nil {
		return nil, err
	}
	return documents(output, asTheyStand(files))
}

// Unstructured returns the objects in their order, as Encode and patches take them.
func (r *Rendered) Unstructured() []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, len(r.Objects))
	for i, object := range r.Objects {
		objects[i] = object.Unstructured
	}
	return objects
}

func (r *Rendered) arrange(objects []Object, workloadOrder []string) {
	bare := make([]*unstructured.Unstructured, len(objects))
	whole := make(map[*unstructured.Unstructured]Object, len(objects))
	for i, object := range objects {
		bare[i] = object.Unstructured
		whole[object.Unstructured] = object
	}
	r.Phases = Phases(bare, workloadOrder)
	for _, phase := range r.Phases {
		for _, object := range phase.Objects {
			r.Objects = append(r.Objects, whole[object])
		}
	}
}

func capabilitiesOf(in Input) (*chartutil.Capabilities, error) {
	if in.Component == "" || in.Namespace == "" {
		return nil, &RenderError{Message: "cannot render: component and namespace have to be named"}
	}
	if in.KubeVersion == "" {
		return nil, &RenderError{Message: "cannot render: the cluster's Kubernetes version is not known"}
	}
	version, err := chartutil.ParseKubeVersion(in.KubeVersion)
	if err != nil {
		return nil, &RenderError{Message: fmt.Sprintf("cannot render: %q is no Kubernetes version", in.KubeVersion), Cause: err}
	}
	versions := slices.Sorted(slices.Values(in.APIVersions))
	return &chartutil.Capabilities{
		KubeVersion: *version,
		APIVersions: slices.Compact(versions),
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}

// asTheyStand are the names of files that render as they stand: a line of what they render is the same line of theirs.
func asTheyStand(files []file) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		if !bytes.Contains(f.data, []byte("{{")) {
			names[f.name] = true
		}
	}
	return names
}

func renderFiles(in Input, files []file, capabilities *chartutil.Capabilities) (map[string]string, error) {
	if in.Values == nil {
		in.Values = map[string]any{}
	}
	switch in.Kind {
	case Chart:
		return renderChart(in, files, capabilities)
	case Manifests:
		return renderManifests(in, files, capabilities)
	default:
		return nil, &RenderError{Message: fmt.Sprintf("cannot render a template of kind %q", in.Kind)}
	}
}

// takeHooks takes Helm's hooks out of the objects, or refuses the first of them.
func takeHooks(objects []Object, skip bool) ([]Object, []Hook, error) {
	var kept []Object
	var hooks []Hook
	for _, object := range objects {
		events, isHook := object.GetAnnotations()[hookAnnotation]
		if !isHook {
			kept = append(kept, object)
			continue
		}
		if !skip {
			return nil, nil, &RenderError{File: object.Source, Object: Name(object.Unstructured), Message: fmt.Sprintf(
				"is a Helm hook (%s), which Sluice does not run: the component has to say hooks: Skip", events)}
		}
		hooks = append(hooks, Hook{Object: Name(object.Unstructured), Source: object.Source, Events: events})
	}
	slices.SortFunc(hooks, func(a, b Hook) int {
		return strings.Compare(a.Source+"\x00"+a.Object, b.Source+"\x00"+b.Object)
	})
	return kept, hooks, nil
}

func checkIdentities(objects []Object) error {
	seen := map[string]Object{}
	for _, object := range objects {
		id := ID(object.Unstructured)
		if other, twice := seen[id]; twice {
			return &RenderError{File: object.Source, Object: Name(object.Unstructured),
				Message: fmt.Sprintf("is rendered twice, here and in %s", other.Source)}
		}
		seen[id] = object
	}
	return nil
}

func addNamespace(objects []Object, in Input) []Object {
	if slices.Contains(ownNamespaces, in.Namespace) {
		return objects
	}
	used := false
	for _, object := range objects {
		if object.GroupVersionKind().GroupKind().String() == "Namespace" && object.GetName() == in.Namespace {
			return objects
		}
		used = used || object.GetNamespace() == in.Namespace
	}
	if !used {
		return objects
	}
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	namespace.SetName(in.Namespace)
	annotate(namespace, GeneratedAnnotation, "true")
	return append([]Object{{Unstructured: namespace, Generated: true}}, objects...)
}
