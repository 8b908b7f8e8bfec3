package kit

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// Live returns the workload as it is, nil where it is not there.
func (s *Session) Live(ctx context.Context) (*unstructured.Unstructured, error) {
	if err := s.object.Wait(ctx); err != nil {
		return nil, err
	}
	object, ok := s.object.Get(s.Spec.Target.GetNamespace(), s.Spec.Target.GetName())
	if !ok {
		return nil, nil
	}
	return object, nil
}

// Looked is Live once every view shows what is there now.
func (s *Session) Looked(ctx context.Context) (*unstructured.Unstructured, error) {
	if err := s.inTouch(ctx); err != nil {
		return nil, err
	}
	return s.Live(ctx)
}

// present is Live where a workload that is not there is an error.
func (s *Session) present(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := s.Live(ctx)
	if err == nil && live == nil {
		err = s.missing()
	}
	return live, err
}

func (s *Session) missing() error {
	return fault.New(fault.NotFound, "cannot find %s in cluster %s", workload.NameOf(s.Spec.Target), s.Cluster.Context())
}

// Current returns the revision of the live template, the newest where there are several.
func (s *Session) Current(live *unstructured.Unstructured) (Revision, bool) {
	digest := podtemplate.Digest(podtemplate.Of(live))
	return s.newest(live.GetUID(), func(r Revision) bool { return r.Digest == digest })
}

// named returns the revision that pods carry as hash.
func (s *Session) named(owner types.UID, hash string) (Revision, bool) {
	return s.newest(owner, func(r Revision) bool { return hash != "" && r.Hash == hash })
}

func (s *Session) newest(owner types.UID, fits func(Revision) bool) (Revision, bool) {
	return NewestOf(s.revisions.All(), owner, fits)
}

// NewestOf returns the newest of the revisions that an owner has and that fit.
func NewestOf(all []Revision, owner types.UID, fits func(Revision) bool) (Revision, bool) {
	all = slices.DeleteFunc(slices.Clone(all), func(r Revision) bool { return r.Owner != owner || !fits(r) })
	if len(all) == 0 {
		return Revision{}, false
	}
	return slices.MaxFunc(all, func(a, b Revision) int { return int(a.number - b.number) }), true
}

// WaitForRevisions waits until the view of the revisions shows what is there now.
func (s *Session) WaitForRevisions(ctx context.Context) error { return s.revisions.Wait(ctx) }

// Revisions returns the revisions that the view shows: those of all that the workload's selector fits.
func (s *Session) Revisions() []Revision { return s.revisions.All() }

// Pods returns the pods that the view shows, whoever owns them.
func (s *Session) Pods() []Pod { return s.pods.All() }

// Nodes returns the nodes that the view shows.
func (s *Session) Nodes() []Node { return s.nodes.All() }
