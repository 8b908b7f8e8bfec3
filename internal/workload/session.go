package workload

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
)

// lookEvery is how often a look is taken where nothing changes; settle is for how long changes are gathered before they
// are looked at together; attempts is how often a write is tried anew when somebody else wrote in between.
const (
	lookEvery = 5 * time.Second
	settle    = 30 * time.Millisecond
	attempts  = 8
)

// family is what differs between the kinds where a session reads them.
type family struct {
	kind    schema.GroupVersionKind
	plural  string
	history string // resource of the revisions
	decode  kube.Decode[revision]
	schema  any // for strategic merges
	holds   []string
}

// watched is a view of any type.
type watched interface {
	Wait(ctx context.Context) error
	Changed() <-chan struct{}
	Err() (time.Time, error)
	Close()
}

// session is one call's look at one workload: its views, opened when they are first needed.
type session struct {
	c      Cluster
	spec   Spec
	family family

	object    *kube.View[*unstructured.Unstructured]
	revisions *kube.View[revision]
	pods      *kube.View[pod]
	nodes     *kube.View[node]
	events    *kube.View[event]
	opened    []watched
}

func open(c Cluster, spec Spec, family family) (*session, error) {
	selector, err := podSelector(spec.Target)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, spec: spec, family: family}
	namespace := spec.Target.GetNamespace()
	s.object = kube.Watch(c, kube.Selection{
		Resource: family.resource(family.plural), Namespace: namespace,
		Filter: kube.Filter{Fields: "metadata.name=" + spec.Target.GetName()},
	}, whole)
	s.revisions = kube.Watch(c, kube.Selection{
		Resource: family.resource(family.history), Namespace: namespace, Filter: kube.Filter{Labels: selector},
	}, family.decode)
	s.opened = append(s.opened, s.object, s.revisions)
	return s, nil
}

func (f family) resource(plural string) schema.GroupVersionResource {
	return f.kind.GroupVersion().WithResource(plural)
}

func whole(object *unstructured.Unstructured, _ **unstructured.Unstructured) *unstructured.Unstructured {
	return object
}

func podSelector(object *unstructured.Unstructured) (string, error) {
	fields, _, _ := unstructured.NestedMap(object.Object, "spec", "selector")
	selector := &metav1.LabelSelector{}
	if err := convert(fields, selector); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot read the selector of %s", nameOf(object))
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot read the selector of %s", nameOf(object))
	}
	if parsed.Empty() {
		return "", fault.New(fault.Invalid, "cannot move %s: its selector is empty", nameOf(object))
	}
	return parsed.String(), nil
}

func (s *session) close() {
	for _, view := range s.opened {
		view.Close()
	}
}

// withPods opens the view of the workload's pods, and of the nodes where they matter.
func (s *session) withPods(nodes bool) error {
	selector, err := podSelector(s.spec.Target)
	if err != nil {
		return err
	}
	core := schema.GroupVersion{Version: "v1"}
	s.pods = kube.Watch(s.c, kube.Selection{
		Resource: core.WithResource("pods"), Namespace: s.spec.Target.GetNamespace(), Filter: kube.Filter{Labels: selector},
	}, decodePod)
	s.opened = append(s.opened, s.pods)
	if nodes {
		s.nodes = kube.Watch(s.c, kube.Selection{Resource: core.WithResource("nodes")}, decodeNode)
		s.opened = append(s.opened, s.nodes)
	}
	return nil
}

// withEvents opens the view of the namespace's warnings.
func (s *session) withEvents() {
	s.events = kube.Watch(s.c, kube.Selection{
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "events"}, Namespace: s.spec.Target.GetNamespace(),
		Filter: kube.Filter{Fields: "type=Warning"},
	}, decodeEvent)
	s.opened = append(s.opened, s.events)
}

// inTouch waits until every view shows what is there now. Events are evidence only: one who may not see them goes without.
func (s *session) inTouch(ctx context.Context) error {
	for _, view := range s.opened {
		err := view.Wait(ctx)
		if err != nil && (view != watched(s.events) || fault.CodeOf(err) != fault.Unauthorized) {
			return err
		}
	}
	return nil
}

// live returns the workload as it is, nil where it is not there.
func (s *session) live(ctx context.Context) (*unstructured.Unstructured, error) {
	if err := s.object.Wait(ctx); err != nil {
		return nil, err
	}
	object, ok := s.object.Get(s.spec.Target.GetNamespace(), s.spec.Target.GetName())
	if !ok {
		return nil, nil
	}
	return object, nil
}

// present is live where a workload that is not there is an error.
func (s *session) present(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := s.live(ctx)
	if err == nil && live == nil {
		err = fault.New(fault.NotFound, "cannot find %s in cluster %s", nameOf(s.spec.Target), s.c.Context())
	}
	return live, err
}

// turn is a set of channels one of which is closed when something changes. It is made before anything is read.
type turn []<-chan struct{}

func (s *session) turn() turn {
	t := make(turn, len(s.opened))
	for i, view := range s.opened {
		t[i] = view.Changed()
	}
	return t
}

// sleep waits for a change, the time, or the end of ctx.
func (t turn) sleep(ctx context.Context, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C)},
	}
	for _, changed := range t {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(changed)})
	}
	chosen, _, _ := reflect.Select(cases)
	if chosen > 1 {
		select {
		case <-ctx.Done():
		case <-time.After(settle):
		}
	}
	return ctx.Err()
}

// change writes what edit makes of the live object, in one patch that fails where somebody wrote in between; then edit is
// asked again. It returns the object as it is stored, which the session's view has then too. Edit returns nil where there
// is nothing to change.
func (s *session) change(ctx context.Context, edit func(live *unstructured.Unstructured) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	live, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		desired, err := edit(live)
		if err != nil || desired == nil {
			return live, err
		}
		patch, err := difference(live, desired)
		if err != nil || patch == nil {
			return live, err
		}
		stored, err := s.c.Patch(ctx, s.family.kind, live.GetNamespace(), live.GetName(), types.MergePatchType, patch)
		if err == nil {
			return stored, s.object.WaitFor(ctx, s.key(), stored.GetResourceVersion())
		}
		if fault.CodeOf(err) != fault.Conflict || attempt == attempts {
			return nil, err
		}
		// Where pods come and go the controller writes a new status all the time.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(attempt) * settle):
		}
		if live, err = s.c.Get(ctx, s.family.kind, live.GetNamespace(), live.GetName()); err != nil {
			return nil, err
		}
	}
}

func (s *session) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.spec.Target.GetNamespace(), Name: s.spec.Target.GetName()}
}

// ErrUnseen is why a call ended that waited for a controller which has not seen the spec of its workload.
var ErrUnseen = errors.New("are the controllers of the cluster running?")

// observed waits until the workload's controller has seen its spec, and returns it. Where the time for that runs out, the
// error is ErrUnseen.
func (s *session) observed(ctx context.Context) (*unstructured.Unstructured, error) {
	for {
		t := s.turn()
		live, err := s.present(ctx)
		if err != nil {
			return nil, err
		}
		if observedGeneration(live) >= live.GetGeneration() {
			return live, nil
		}
		switch err := t.sleep(ctx, lookEvery); {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fault.Wrap(fault.Internal, ErrUnseen, "cannot go on with %s in cluster %s: its controller has seen generation %d of %d",
				nameOf(live), s.c.Context(), observedGeneration(live), live.GetGeneration())
		case err != nil:
			return nil, err
		}
	}
}

// held checks that the run holds the workload and that nobody has changed what it wrote.
func (s *session) held(live *unstructured.Unstructured) (*Hold, error) {
	hold, err := HoldOf(live)
	if err != nil {
		return nil, err
	}
	if hold == nil {
		return nil, fault.New(fault.Conflict, "cannot move %s in cluster %s: run %s does not hold it any more", nameOf(live), s.c.Context(), s.spec.Run)
	}
	if !hold.by(s.spec) {
		return nil, fault.New(fault.Conflict, "cannot move %s in cluster %s: run %s holds it", nameOf(live), s.c.Context(), hold.Run)
	}
	return hold, nil
}

// templateIs checks that the workload has the template that this run wrote.
func (s *session) templateIs(live *unstructured.Unstructured, digest string) error {
	if templateDigest(templateOf(live)) == digest {
		return nil
	}
	return fault.New(fault.Conflict, "cannot move %s in cluster %s: somebody else changed its pod template", nameOf(live), s.c.Context())
}

// current returns the revision of the live template, the newest where there are several.
func (s *session) current(live *unstructured.Unstructured) (revision, bool) {
	digest := templateDigest(templateOf(live))
	return s.newest(live.GetUID(), func(r revision) bool { return r.digest == digest })
}

// named returns the revision that pods carry as hash.
func (s *session) named(owner types.UID, hash string) (revision, bool) {
	return s.newest(owner, func(r revision) bool { return hash != "" && r.hash == hash })
}

func (s *session) newest(owner types.UID, fits func(revision) bool) (revision, bool) {
	return newestOf(s.revisions.All(), owner, fits)
}

func newestOf(all []revision, owner types.UID, fits func(revision) bool) (revision, bool) {
	all = slices.DeleteFunc(slices.Clone(all), func(r revision) bool { return r.owner != owner || !fits(r) })
	if len(all) == 0 {
		return revision{}, false
	}
	return slices.MaxFunc(all, func(a, b revision) int { return int(a.number - b.number) }), true
}

// prepared checks what has to hold before a workload that nobody holds is taken: that it is what the patch was made for.
func (s *session) prepared(live *unstructured.Unstructured) error {
	changed := fault.New(fault.Conflict, "cannot prepare %s in cluster %s: it was changed since its patch was computed", nameOf(live), s.c.Context())
	if s.spec.LiveGeneration != 0 {
		if live.GetGeneration() != s.spec.LiveGeneration {
			return changed
		}
		return nil
	}
	if s.spec.LiveVersion != "" && live.GetResourceVersion() != s.spec.LiveVersion {
		return changed
	}
	return nil
}

func observedGeneration(object *unstructured.Unstructured) int64 {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	return observed
}

func number(object *unstructured.Unstructured, none int64, path ...string) int64 {
	value, ok, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if !ok || err != nil {
		return none
	}
	switch n := value.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return none
}

func text(object *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(object.Object, path...)
	return value
}

func unknownRevision(object *unstructured.Unstructured, c Cluster) error {
	return fault.New(fault.Internal, "cannot tell the revision of %s in cluster %s: no revision of it has its template", nameOf(object), c.Context())
}
