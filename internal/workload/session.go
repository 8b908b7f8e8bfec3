package workload

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

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
	family Family
	clock  clock.Clock

	object    *kube.View[*unstructured.Unstructured]
	revisions *kube.View[revision]
	pods      *kube.View[pod]
	nodes     *kube.View[node]
	events    *kube.View[event]
	opened    []watched
}

func open(c Cluster, spec Spec, family Family, on clock.Clock) (*session, error) {
	selector, err := podSelector(spec.Target)
	if err != nil {
		return nil, err
	}
	s := &session{c: c, spec: spec, family: family, clock: on}
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

// withPods opens the view of the workload's pods, and of the nodes where they belong to those.
func (s *session) withPods() error {
	selector, err := podSelector(s.spec.Target)
	if err != nil {
		return err
	}
	core := schema.GroupVersion{Version: "v1"}
	s.pods = kube.Watch(s.c, kube.Selection{
		Resource: core.WithResource("pods"), Namespace: s.spec.Target.GetNamespace(), Filter: kube.Filter{Labels: selector},
	}, decodePod(s.clock))
	s.opened = append(s.opened, s.pods)
	if s.family.Nodes {
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

// looked is live once every view shows what is there now.
func (s *session) looked(ctx context.Context) (*unstructured.Unstructured, error) {
	if err := s.inTouch(ctx); err != nil {
		return nil, err
	}
	return s.live(ctx)
}

// present is live where a workload that is not there is an error.
func (s *session) present(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := s.live(ctx)
	if err == nil && live == nil {
		err = s.missing()
	}
	return live, err
}

func (s *session) missing() error {
	return fault.New(fault.NotFound, "cannot find %s in cluster %s", nameOf(s.spec.Target), s.c.Context())
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
		stored, err := s.c.Patch(ctx, s.family.Kind, live.GetNamespace(), live.GetName(), types.MergePatchType, patch)
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
		case <-s.clock.After(time.Duration(attempt) * settle):
		}
		if live, err = s.c.Get(ctx, s.family.Kind, live.GetNamespace(), live.GetName()); err != nil {
			return nil, err
		}
	}
}

func (s *session) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.spec.Target.GetNamespace(), Name: s.spec.Target.GetName()}
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

// holds reports whether there is a workload that the run holds under its present fence. A State would not tell: the run
// may have ended before it learned of what it wrote.
func (s *session) holds(ctx context.Context) (bool, error) {
	live, err := s.live(ctx)
	if err != nil || live == nil {
		return false, err
	}
	hold, err := HoldOf(live)
	return err == nil && hold != nil && hold.by(s.spec), err
}

// disarmed is the state of a workload that the run does not hold, or that is gone.
func disarmed(state State) State {
	state.Armed = false
	return state
}

// waitForRevisions waits until the view of the revisions shows what is there now.
func (s *session) waitForRevisions(ctx context.Context) error { return s.revisions.Wait(ctx) }

// kept returns the revisions that the view shows: those of all that the workload's selector fits.
func (s *session) kept() []revision { return s.revisions.All() }

// shown returns the pods that the view shows, whoever owns them.
func (s *session) shown() []pod { return s.pods.All() }

// around returns the nodes that the view shows.
func (s *session) around() []node { return s.nodes.All() }
