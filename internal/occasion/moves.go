package occasion

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// The kinds of workloads whose pods are followed. Of others that keep ControllerRevisions it is told that they were deployed.
const (
	deployment  = "Deployment"
	daemonSet   = "DaemonSet"
	statefulSet = "StatefulSet"
)

// moves tells of workloads that have another revision, and of the nodes to which it has come.
type moves struct {
	*view
	*loop
	mu       sync.Mutex
	seen     map[ref]*move
	followed map[ref]*follower
	again    map[ref]bool   // to be followed, and were not
	all      sync.WaitGroup // of followers
}

// move is what was seen of a workload. One looker has it at a time.
type move struct {
	uid      types.UID
	revision revision
	counts   counts
	open     bool // its pods are being made anew
	told     *toldPods
}

// revision is which of its templates a workload has.
type revision struct {
	number int64
	hash   string    // as its pods have it in a label; of a Deployment it is looked up when it is needed
	since  time.Time // by the API server; of a Deployment whose ReplicaSet was not looked up: not later than that
}

// counts are how far the pods of a workload are.
type counts struct {
	wanted, updated, ready int32
	old                    int32 // that do not have its revision
	current                bool  // they are about the workload as it is
}

// done reports whether all pods have the revision, and are ready.
func (c counts) done() bool {
	return c.current && c.old == 0 && c.updated >= c.wanted && c.ready >= c.wanted
}

// workload is one as it is now.
type workload struct {
	ref
	uid      types.UID
	made     time.Time
	ours     bool // a case has made it
	selector *metav1.LabelSelector
	counts   counts
	revision revision
}

func newMoves(v *view) *moves {
	m := &moves{view: v, seen: map[ref]*move{}, followed: map[ref]*follower{}, again: map[ref]bool{}}
	m.loop = newLoop(m.look, v.Clock, v.logger)
	return m
}

func (m *moves) look(ctx context.Context, of ref) (time.Duration, error) {
	now, err := m.read(ctx, of)
	if apierrors.IsNotFound(err) {
		m.mu.Lock()
		delete(m.seen, of)
		delete(m.again, of)
		m.mu.Unlock()
		return 0, nil
	}
	if err != nil || now.ours || now.revision.number == 0 { // its controller has not come to it yet
		return 0, err
	}
	m.mu.Lock()
	was, again := m.seen[of], m.again[of]
	m.mu.Unlock()
	if was == nil || was.uid != now.uid {
		if was, err = m.first(ctx, &now); err != nil {
			return 0, err
		}
	}
	stirred := again || was.counts != now.counts
	if was.revision.number != now.revision.number {
		if err := m.deployed(ctx, &now, was.revision.number); err != nil {
			return 0, err
		}
		was.open, stirred, was.told = true, true, &toldPods{}
	} else if was.revision.hash != "" {
		now.revision = was.revision
	}
	was.revision, was.counts = now.revision, now.counts
	m.mu.Lock()
	m.seen[of] = was
	delete(m.again, of)
	m.mu.Unlock()
	if !was.open && !again || !stirred {
		return 0, nil
	}
	was.open = !now.counts.done()
	turn, err := m.follow(ctx, now, was)
	if err != nil || turn > 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.again[of] = true
	}
	return turn, err
}

// first is a workload as if it had been seen when this began: where its revision is younger, it is another one.
func (m *moves) first(ctx context.Context, now *workload) (*move, error) {
	was := &move{uid: now.uid, revision: now.revision, open: now.counts.old > 0, told: &toldPods{}}
	younger := !m.wasThere(now.ref, now.uid) || now.made.After(m.since())
	if !younger && now.kind == deployment && now.revision.since.After(m.since()) {
		// Its controller has written to it since, which it does for other reasons too.
		if err := m.replicaSet(ctx, now); err != nil {
			return nil, err
		}
		was.revision = now.revision
	}
	if younger || now.revision.since.After(m.since()) {
		was.revision = revision{}
	}
	return was, nil
}

// deployed tells that a workload has another revision.
func (m *moves) deployed(ctx context.Context, now *workload, was int64) error {
	if now.kind == deployment && now.revision.hash == "" {
		if err := m.replicaSet(ctx, now); err != nil {
			return err
		}
	}
	at := m.Clock.Now()
	if was == 0 {
		at = m.when(now.revision.since)
	} else if now.revision.since.Before(at.Add(-longAgo)) {
		now.revision.since = at.Add(-skew) // it has a revision again that it once had: its pods of those days have not moved
	}
	m.bell.ring(probing.Event{
		Kind: probing.Deployed, Name: now.String(), Revision: now.revision.String(), At: at,
		Key:  probing.KeyFor(probing.Deployed, string(now.uid), strconv.FormatInt(now.revision.number, 10)),
		Text: fmt.Sprintf("%s has revision %d", now.ref, now.revision.number),
	})
	return nil
}

// A revision that was made so long ago is an earlier one which a workload has again. The clock of the API server may be so far behind.
const (
	longAgo = time.Minute
	skew    = 5 * time.Second
)

// String is the hash that pods of the revision have, or its number.
func (r revision) String() string {
	if r.hash != "" {
		return r.hash
	}
	return strconv.FormatInt(r.number, 10)
}

// read reads a workload as it is now.
func (m *moves) read(ctx context.Context, of ref) (workload, error) {
	w := workload{ref: of}
	switch of.kind {
	case deployment:
		d := &appsv1.Deployment{}
		if err := m.cache.Get(ctx, of.key(), d); err != nil {
			return w, err
		}
		w.take(d, d.Spec.Selector)
		number, err := strconv.ParseInt(d.Annotations[revisionAnnotation], 10, 64)
		if err == nil {
			w.revision = revision{number: number, since: numberedAt(d)}
		}
		w.counts = counts{
			wanted: wanted(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, ready: d.Status.ReadyReplicas,
			old: d.Status.Replicas - d.Status.UpdatedReplicas, current: d.Status.ObservedGeneration >= d.Generation,
		}
		return w, nil
	case daemonSet:
		d := &appsv1.DaemonSet{}
		if err := m.cache.Get(ctx, of.key(), d); err != nil {
			return w, err
		}
		w.take(d, d.Spec.Selector)
		w.counts = counts{
			wanted: d.Status.DesiredNumberScheduled, updated: d.Status.UpdatedNumberScheduled, ready: d.Status.NumberReady,
			old: d.Status.CurrentNumberScheduled - d.Status.UpdatedNumberScheduled, current: d.Status.ObservedGeneration >= d.Generation,
		}
	case statefulSet:
		s := &appsv1.StatefulSet{}
		if err := m.cache.Get(ctx, of.key(), s); err != nil {
			return w, err
		}
		w.take(s, s.Spec.Selector)
		w.counts = counts{
			wanted: wanted(s.Spec.Replicas), updated: s.Status.UpdatedReplicas, ready: s.Status.ReadyReplicas,
			old: s.Status.Replicas - s.Status.UpdatedReplicas, current: s.Status.ObservedGeneration >= s.Generation,
		}
	}
	return m.revised(ctx, w)
}

func (w *workload) take(o client.Object, selector *metav1.LabelSelector) {
	w.uid, w.made, w.selector, w.ours = o.GetUID(), o.GetCreationTimestamp().Time, selector, ofACase(o)
}

// ofACase reports whether a case has made an object: it would run because of itself.
func ofACase(o client.Object) bool {
	return o.GetLabels()[probing.LabelRun] != "" || o.GetLabels()[probing.LabelCase] != ""
}

func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

// revised is a workload with the newest of its ControllerRevisions. One of a kind that is not watched is known by them alone.
func (m *moves) revised(ctx context.Context, w workload) (workload, error) {
	all := &appsv1.ControllerRevisionList{}
	if err := m.cache.List(ctx, all, client.InNamespace(w.namespace), client.MatchingFields{ownerField: w.kind + "/" + w.name}); err != nil {
		return w, err
	}
	known := w.uid != ""
	for i := range all.Items {
		r := &all.Items[i]
		owner := metav1.GetControllerOf(r)
		if owner == nil || known && owner.UID != w.uid || r.Revision <= w.revision.number {
			continue
		}
		hash := r.Name
		if w.kind == daemonSet {
			hash = r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
		}
		w.revision = revision{number: r.Revision, hash: hash, since: numberedAt(r)}
		if !known {
			w.uid, w.ours = owner.UID, ofACase(r)
		}
	}
	if w.uid == "" {
		return w, apierrors.NewNotFound(appsv1.Resource(strings.ToLower(w.kind)), w.name)
	}
	return w, nil
}

// numberedAt is when an object's revision got its number, by the API server.
func numberedAt(o client.Object) time.Time {
	if by := o.GetManagedFields(); len(by) > 0 && by[0].Time != nil {
		return by[0].Time.Time
	}
	return o.GetCreationTimestamp().Time
}

// ownerField finds revisions by their owners.
const ownerField = "owner"

func ownerOf(o client.Object) []string {
	if by := metav1.GetControllerOf(o); by != nil {
		return []string{by.Kind + "/" + by.Name}
	}
	return nil
}

// itsOwner refers to the workload that a revision is of.
func itsOwner(o client.Object) (ref, types.UID) {
	if by := metav1.GetControllerOf(o); by != nil {
		return ref{by.Kind, o.GetNamespace(), by.Name}, by.UID
	}
	return ref{}, ""
}

// replicaSet looks up which hash the pods of a Deployment's revision have, and since when there is a ReplicaSet of it.
func (m *moves) replicaSet(ctx context.Context, of *workload) error {
	selector, err := metav1.LabelSelectorAsSelector(of.selector)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot select the ReplicaSets of %s", of.ref)
	}
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := m.direct.List(ctx, all, client.InNamespace(of.namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot list the ReplicaSets of %s", of.ref)
	}
	number := strconv.FormatInt(of.revision.number, 10)
	for i := range all.Items {
		r := &all.Items[i]
		if metav1.IsControlledBy(r, &metav1.ObjectMeta{UID: of.uid}) && r.Annotations[revisionAnnotation] == number {
			of.revision.hash, of.revision.since = r.Labels[appsv1.DefaultDeploymentUniqueLabelKey], r.CreationTimestamp.Time
			return nil
		}
	}
	return fault.New(fault.NotFound, "cannot find the ReplicaSet of revision %s of %s", number, of.ref)
}
