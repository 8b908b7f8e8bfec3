package kit

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
)

// lookEvery is how often a look is taken where nothing changes; settle is for how long changes are gathered before they
// are looked at together; attempts is how often a write is tried anew when somebody else wrote in between.
const (
	lookEvery = 5 * time.Second
	settle    = 30 * time.Millisecond
	attempts  = 8
)

// watched is a view of any type.
type watched interface {
	Wait(ctx context.Context) error
	Changed() <-chan struct{}
	Err() (time.Time, error)
	Close()
}

// Session is one call's look at one workload: its views, opened when they are first needed.
type Session struct {
	Cluster workload.Cluster
	Spec    workload.Spec
	Family  Family
	Clock   clock.Clock

	object    *kube.View[*unstructured.Unstructured]
	revisions *kube.View[Revision]
	pods      *kube.View[Pod]
	nodes     *kube.View[Node]
	events    *kube.View[event]
	opened    []watched
}

func open(c workload.Cluster, spec workload.Spec, family Family, on clock.Clock) (*Session, error) {
	selector, err := PodSelector(spec.Target)
	if err != nil {
		return nil, err
	}
	s := &Session{Cluster: c, Spec: spec, Family: family, Clock: on}
	namespace := spec.Target.GetNamespace()
	s.object = kube.Watch(c, kube.Selection{
		Resource: family.resource(family.Plural), Namespace: namespace,
		Filter: kube.Filter{Fields: "metadata.name=" + spec.Target.GetName()},
	}, whole)
	s.revisions = kube.Watch(c, kube.Selection{
		Resource: family.resource(family.History), Namespace: namespace, Filter: kube.Filter{Labels: selector},
	}, family.Decode)
	s.opened = append(s.opened, s.object, s.revisions)
	return s, nil
}

func whole(object *unstructured.Unstructured, _ **unstructured.Unstructured) *unstructured.Unstructured {
	return object
}

// PodSelector is the label selector by which a workload finds its pods. One that finds all is fault.Invalid.
func PodSelector(object *unstructured.Unstructured) (string, error) {
	fields, _, _ := unstructured.NestedMap(object.Object, "spec", "selector")
	selector := &metav1.LabelSelector{}
	if err := field.Convert(fields, selector); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot read the selector of %s", workload.NameOf(object))
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot read the selector of %s", workload.NameOf(object))
	}
	if parsed.Empty() {
		return "", fault.New(fault.Invalid, "cannot move %s: its selector is empty", workload.NameOf(object))
	}
	return parsed.String(), nil
}

func (s *Session) close() {
	for _, view := range s.opened {
		view.Close()
	}
}

// withPods opens the view of the workload's pods, and of the nodes.
func (s *Session) withPods(nodes bool) error {
	selector, err := PodSelector(s.Spec.Target)
	if err != nil {
		return err
	}
	core := schema.GroupVersion{Version: "v1"}
	s.pods = kube.Watch(s.Cluster, kube.Selection{
		Resource: core.WithResource("pods"), Namespace: s.Spec.Target.GetNamespace(), Filter: kube.Filter{Labels: selector},
	}, decodePod(s.Clock))
	s.opened = append(s.opened, s.pods)
	if nodes {
		s.nodes = watchNodes(s.Cluster)
		s.opened = append(s.opened, s.nodes)
	}
	return nil
}

// withEvents opens the view of the namespace's warnings.
func (s *Session) withEvents() {
	s.events = kube.Watch(s.Cluster, kube.Selection{
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "events"}, Namespace: s.Spec.Target.GetNamespace(),
		Filter: kube.Filter{Fields: "type=Warning"},
	}, decodeEvent)
	s.opened = append(s.opened, s.events)
}

// inTouch waits until every view shows what is there now. Events are evidence only: one who may not see them goes without.
func (s *Session) inTouch(ctx context.Context) error {
	for _, view := range s.opened {
		err := view.Wait(ctx)
		if err != nil && (view != watched(s.events) || fault.CodeOf(err) != fault.Unauthorized) {
			return err
		}
	}
	return nil
}

// disarmed is the state of a workload that the run does not hold, or that is gone.
func disarmed(state workload.State) workload.State {
	state.Armed = false
	return state
}

// Cannot is an error about the workload: what cannot be done to it, and why.
func (s *Session) Cannot(do string, code fault.Code, why string, args ...any) error {
	name, cause := workload.NameOf(s.Spec.Target), fmt.Sprintf(why, args...)
	return fault.New(code, "cannot %s %s in cluster %s: %s", do, name, s.Cluster.Context(), cause)
}
