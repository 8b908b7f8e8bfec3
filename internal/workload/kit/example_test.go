package kit_test

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// herds is a whole driver: of ReplicaSets that nobody else owns, whose controller keeps revisions. It gives a pod that is gone to
// the template that stands there and takes none away, so that pods move by being deleted. The owner has no strategy to give back.
type herds struct{}

var podKind = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

func (herds) Family() kit.Family {
	return kit.Family{
		Kind:     schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		Plural:   "replicasets",
		History:  "controllerrevisions",
		Decode:   kit.DecodeControllerRevision,
		Schema:   appsv1.ReplicaSet{},
		OnDelete: true,
	}
}

func (herds) Check(_ context.Context, _ workload.Cluster, _ workload.Spec, live *unstructured.Unstructured, _ bool) error {
	if size(live) == 0 {
		return fault.New(fault.Refused, "cannot move %s: it has no pods", workload.NameOf(live))
	}
	return nil
}

func (herds) Costs(map[string]any) []workload.Cost { return nil }

func (herds) Sizes(_ context.Context, s *kit.Session, sets []pipelines.NodeSet) ([]workload.Size, error) {
	sizes := make([]workload.Size, len(sets))
	sizes[0].Pods = size(s.Spec.Target)
	return sizes, nil
}

func (herds) Grab(*kit.Session, *unstructured.Unstructured, *workload.Hold) error { return nil }

func (herds) Elsewhere(s *kit.Session, desired *unstructured.Unstructured) bool {
	rev, ok := s.Current(desired)
	return !ok || slices.ContainsFunc(s.Pods(), func(p kit.Pod) bool { return p.Hash != rev.Hash })
}

func (herds) Steady(ctx context.Context, s *kit.Session) (bool, error) {
	live, err := s.Looked(ctx)
	return err == nil && (live == nil || len(s.Pods()) == size(live)), err
}

func (herds) Pause(*kit.Session, *unstructured.Unstructured, *workload.Hold) (bool, error) {
	return false, nil
}

func (h herds) Left(ctx context.Context, s *kit.Session, live *unstructured.Unstructured, _ kit.Revision) error {
	if _, err := s.Looked(ctx); err != nil || !h.Elsewhere(s, live) {
		return err
	}
	return s.Cannot("let go of", fault.Refused, "some pods are not at its template")
}

func (herds) Mover(s *kit.Session, to kit.Aim) kit.Mover { return &drive{Session: s, aim: to} }

// drive moves the pods of a herd.
type drive struct {
	*kit.Session
	aim             kit.Aim
	old             []kit.Pod // not at the revision
	total, at, fine int       // pods that there are to be, that are at the revision, that are available there
	allowed         int
}

func (m *drive) Look(ctx context.Context) (kit.Seen, error) {
	live, err := m.Looked(ctx)
	if err != nil || live == nil {
		return kit.Seen{}, err
	}
	now, least := m.Clock.Now(), time.Duration(field.Number(live, 0, "spec", "minReadySeconds"))*time.Second
	// A pod of which the API server has said that it is deleted is gone, even if the view is behind.
	pods := slices.DeleteFunc(slices.Clone(m.Pods()), func(p kit.Pod) bool { return p.Deleting || m.Cluster.Deleted(p.UID) })
	m.total, m.old = size(live), slices.DeleteFunc(slices.Clone(pods), func(p kit.Pod) bool { return p.Hash == m.aim.Revision })
	facts := rule.Facts{Workload: m.Count(live, m.aim.Revision, m.total, pods, least, now)}
	m.at, m.fine = int(facts.Workload.Updated), int(facts.Workload.UpdatedAvailable)
	m.allowed = m.aim.Goal.Amount.Of(m.total)
	return kit.Seen{Live: live, Facts: facts, Next: kit.Soonest(pods, least, now)}, nil
}

func (m *drive) Intact(*workload.Hold) error { return nil }

func (m *drive) Waiting() []string { return nil }

func (m *drive) Step(ctx context.Context) (bool, time.Duration, error) {
	if m.fine >= m.allowed {
		return true, 0, nil
	}
	room := m.aim.Goal.MaxUnavailable.Of(m.total) - (m.total - len(m.old) - m.fine) // what is missing or not available uses it up
	for _, p := range m.old[:max(0, min(room, m.allowed-(m.total-len(m.old)), len(m.old)))] {
		err := m.Cluster.Delete(ctx, podKind, m.Spec.Target.GetNamespace(), p.Name, p.UID)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return false, 0, err
		}
	}
	return false, time.Second, nil
}

func size(object *unstructured.Unstructured) int {
	return int(field.Number(object, 1, "spec", "replicas"))
}
