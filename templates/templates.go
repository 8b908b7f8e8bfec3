// Package templates turns template + image + config into objects: it packs a chart or a folder of manifests into
// canonical bytes, merges a component's config layers, and renders both with Helm's engine or text/template and sprig.
// It is pure: only Pack reads files, nothing asks a cluster, a clock or a network, and equal input gives equal output.
package templates

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/pipelines"
)

// Bounds of what is packed and rendered. They keep one component from filling a worker's memory or the ledger.
const (
	MaxPackedBytes   = 8 << 20
	MaxPackedFiles   = 2000
	MaxRenderedBytes = 8 << 20
	MaxObjects       = 2000
)

// What Sluice writes on the objects that it renders, and reads on them.
const (
	// ManagedByLabel is on every object with the value ManagedBy.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "sluice"
	// ComponentAnnotation is on every object and names its component. It is never in a pod template.
	ComponentAnnotation = "sluice.dev/component"
	// GeneratedAnnotation is on an object that no template rendered: the release namespace. It is created where it is
	// missing and never changed where it is there.
	GeneratedAnnotation = "sluice.dev/generated"
	// BaseNameAnnotation is on a ConfigMap or Secret that got a name with its digest, and holds the name in the template.
	BaseNameAnnotation = "sluice.dev/base-name"
	// KeepNameAnnotation with the value "true" keeps a ConfigMap or Secret under its own name. A change of it reaches
	// every pod of a cluster at once.
	KeepNameAnnotation = "sluice.dev/keep-name"
)

// Kind is how a component's template is written.
type Kind string

// KindOf is how the template of a component is written.
func KindOf(t *pipelines.Template) Kind {
	switch {
	case t.Manifests != "":
		return Manifests
	case t.Probes != "":
		return Probes
	}
	return Chart
}

// The kinds.
const (
	Chart     Kind = "chart"
	Manifests Kind = "manifests"
	Probes    Kind = "probes"
)

// Input is everything a render depends on.
type Input struct {
	Source    []byte // what Pack returned
	Kind      Kind
	Component string // also the release name
	Version   string
	Namespace string         // also the release namespace
	Values    map[string]any // what Values returned; not changed
	Place     pipelines.Place
	// KubeVersion ("v1.33.2") and APIVersions ("apps/v1", "apps/v1/Deployment") are the target cluster's. There is no
	// default: Helm's own would follow the client-go that this program was built with.
	KubeVersion string
	APIVersions []string
	// Namespaced says whether a kind lives in a namespace, and whether the cluster serves it at all. Kinds that it does
	// not know, and a nil func, fall back on the CRDs of the render and on the kinds that Kubernetes ships.
	Namespaced    func(schema.GroupVersionKind) (namespaced, known bool)
	SkipHooks     bool     // leave hooks out and list them; without it a hook is an error
	WorkloadOrder []string // Kind/name, first to last; workloads that are not named follow in render order
}

// Rendered is what came out of a render.
type Rendered struct {
	Objects       []Object        // in the order of Phases
	Phases        []Phase         // always Before, Workloads, After; each may be empty
	SkippedHooks  []Hook          // sorted by source and name
	ReachesAtOnce []ReachesAtOnce // configuration whose change no batch holds back, sorted by object
}

// Object is a rendered object and the template that it came from.
type Object struct {
	*unstructured.Unstructured
	Source    string // path inside the chart or folder; "" where Generated
	Generated bool   // GeneratedAnnotation
}

// Hook is a Helm hook that was left out.
type Hook struct {
	Object string `json:"object"` // Kind/namespace/name
	Source string `json:"source"`
	Events string `json:"events"` // as annotated: pre-install,pre-upgrade
}

// ReachesAtOnce is a ConfigMap or Secret whose name does not change with its content: pods use it under that name, or no pod
// template names it and programs may read it through the API.
type ReachesAtOnce struct {
	Object  string `json:"object"` // Kind/namespace/name
	Reason  string `json:"reason"`
	Unnamed bool   `json:"unnamed,omitempty"` // no pod template names it
}

// RenderError says where in a template something is wrong. Every error of Pack, Values and Render that comes from their
// input is one; its caller reports it as invalid input.
type RenderError struct {
	File    string // inside the chart or folder; "" where no file is to blame
	Line    int    // in File, from 1; 0 where it is not known
	Column  int    // from 1; 0 where it is not known
	Object  string // Kind/namespace/name; "" where no object is to blame
	Message string
	Cause   error
}

// Error returns file, line and column as far as they are known, then the message.
func (e *RenderError) Error() string {
	text := e.Message
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	if e.Object != "" {
		text = e.Object + ": " + text
	}
	switch {
	case e.File == "":
		return text
	case e.Line == 0:
		return e.File + ": " + text
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, text)
	default:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, text)
	}
}

// Unwrap returns the cause.
func (e *RenderError) Unwrap() error { return e.Cause }
