package lint

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	clientscheme "k8s.io/client-go/kubernetes/scheme"

	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/templates"
)

// KubeVersion is the Kubernetes whose kinds are known here: that of the client library.
const KubeVersion = "v1.37.0"

// shipped are the kinds that Kubernetes ships. It is a scheme of our own: other packages add kinds to the shared one.
var shipped = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(s))
	utilruntime.Must(apiextensionsv1.AddToScheme(s))
	return s
})

// ours are the kinds that Sluice itself brings to clusters.
var ours = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(probing.AddToScheme(s))
	return s
})

// aggregation is a group that Kubernetes ships and the client library has no types of.
const aggregation = "apiregistration.k8s.io"

// apiVersions are the versions and kinds that a cluster of a version which has nothing but Kubernetes serves, as charts ask for
// them.
func apiVersions(kubeVersion string) []string {
	all := []string{aggregation + "/v1", aggregation + "/v1/APIService"}
	groups := map[string]bool{}
	for kind := range shipped().AllKnownTypes() {
		if kind.Version == runtime.APIVersionInternal || unserved(kind, kubeVersion) != "" {
			continue
		}
		groups[kind.GroupVersion().String()] = true
		all = append(all, kind.GroupVersion().String()+"/"+kind.Kind)
	}
	return append(all, slices.Sorted(maps.Keys(groups))...)
}

// kinds checks objects by their kind.
type kinds struct {
	version string
	crds    crdSet
}

func (k *kinds) check(r *render) []problem {
	var found []problem
	warned := map[schema.GroupVersionKind]bool{}
	for _, object := range r.rendered.Objects {
		if object.Generated {
			continue
		}
		kind := object.GroupVersionKind()
		switch {
		case shipped().Recognizes(kind):
			if why := unserved(kind, k.version); why != "" {
				found = append(found, k.kindProblem(r, object, why))
			}
			found = append(found, k.typed(r, object, shipped())...)
		case ours().Recognizes(kind):
			found = append(found, k.typed(r, object, ours())...)
		case k.crds.has(kind.GroupKind()):
			found = append(found, k.custom(r, object)...)
		case kind.Group == aggregation && kind.Kind == "APIService":
		default:
			if p, again := k.unknown(r, object), warned[kind]; !p.warning || !again {
				found = append(found, p)
			}
			warned[kind] = true
		}
	}
	return found
}

// typed decodes an object of a kind that a scheme knows as its API server does, and wants every field to be known. What is
// wrong is then looked for field by field: the decoder stops at the first value that is of another type.
func (k *kinds) typed(r *render, object templates.Object, known *runtime.Scheme) []problem {
	body, err := object.MarshalJSON()
	if err != nil {
		return []problem{k.at(r, object, nil, err.Error())}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, known, known, json.SerializerOptions{Strict: true})
	if _, _, err = strict.Decode(body, nil, nil); err == nil {
		return nil
	}
	kind, unknown := known.New(object.GroupVersionKind())
	if unknown != nil {
		return []problem{k.at(r, object, nil, unknown.Error())}
	}
	w := &typeWalk{kind: object.GetKind()}
	w.value(nil, reflect.TypeOf(kind), object.Object)
	var found []problem
	for _, m := range w.found {
		p := k.at(r, object, m.path, m.says)
		p.warning = m.unknown && k.newer()
		found = append(found, p)
	}
	if len(found) == 0 {
		found = append(found, k.at(r, object, nil, "cannot be read as "+object.GetKind()+": "+err.Error()))
	}
	return found
}

// newer reports whether the render is for a Kubernetes that may have fields and kinds which are not known here.
func (k *kinds) newer() bool {
	asked, err := version.ParseGeneric(k.version)
	return err == nil && version.MustParseGeneric(KubeVersion).LessThan(asked)
}

// unknown is an object of a kind that neither Kubernetes nor a CRD of the renders has. A group without a dot, and one of whose
// versions Kubernetes ships, is Kubernetes' own: nobody else can declare a kind there.
func (k *kinds) unknown(r *render, object templates.Object) problem {
	kind := object.GroupVersionKind()
	message, own := k.whatIsUnknown(kind)
	p := k.kindProblem(r, object, message)
	p.warning = !own || k.newer()
	return p
}

// kindProblem is a problem with an object's kind.
func (k *kinds) kindProblem(r *render, object templates.Object, message string) problem {
	p := k.at(r, object, nil, message)
	if line, column := r.sources.object(p.file, templates.Name(object.Unstructured)); line > 0 {
		p.line, p.column = line, column
	}
	if line, column := r.sources.key(p.file, "kind", object.GetKind()); line > 0 {
		p.line, p.column = line, column
	}
	return p
}

func (k *kinds) whatIsUnknown(kind schema.GroupVersionKind) (message string, own bool) {
	groups, versions, others := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for known := range shipped().AllKnownTypes() {
		if unserved(known, k.version) != "" {
			continue
		}
		groups[known.Group] = true
		if known.Group == kind.Group && known.Kind == kind.Kind {
			versions[known.Version] = true
		}
		if known.GroupVersion() == kind.GroupVersion() {
			others[known.Kind] = true
		}
	}
	delete(versions, runtime.APIVersionInternal)
	sorted := func(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
	switch {
	case len(versions) > 0:
		return fmt.Sprintf("Kubernetes has no %s in %s, only in %s", kind.Kind, kind.GroupVersion(), strings.Join(sorted(versions), ", ")), true
	case len(others) > 0:
		return fmt.Sprintf("Kubernetes has no kind %s in %s%s", kind.Kind, kind.GroupVersion(), rule.Suggest(kind.Kind, sorted(others))), true
	case groups[kind.Group]:
		return fmt.Sprintf("Kubernetes has no version %s", kind.GroupVersion()), true
	case !strings.Contains(kind.Group, "."):
		return fmt.Sprintf("Kubernetes has no group %q%s", kind.Group, rule.Suggest(kind.Group, sorted(groups))), true
	}
	return fmt.Sprintf("no CRD of the renders declares %s in %s: its fields are not checked%s", kind.Kind, kind.GroupVersion(),
		rule.Suggest(kind.Group, sorted(groups))), false
}

// at is a problem with a field of an object.
func (k *kinds) at(r *render, object templates.Object, path []string, message string) problem {
	name := templates.Name(object.Unstructured)
	p := problem{file: object.Source, message: name + ": " + message}
	p.line, p.column = r.sources.field(p.file, name, path)
	return p
}

func index(step string) (int, bool) {
	i, err := strconv.Atoi(step)
	return i, err == nil && i >= 0
}
