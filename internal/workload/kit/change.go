package kit

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
)

// Edit is what a live object is to become; nil where there is nothing to change.
type Edit func(live *unstructured.Unstructured) (*unstructured.Unstructured, error)

// Change writes what edit makes of the live object, in one patch that fails where somebody wrote in between; then edit is
// asked again. It returns the object as it is stored, which the session's view has then too.
func (s *Session) Change(ctx context.Context, edit Edit) (*unstructured.Unstructured, error) {
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
		stored, err := s.Cluster.Patch(ctx, s.Family.Kind, live.GetNamespace(), live.GetName(), types.MergePatchType, patch)
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
		case <-s.Clock.After(time.Duration(attempt) * settle):
		}
		if live, err = s.Cluster.Get(ctx, s.Family.Kind, live.GetNamespace(), live.GetName()); err != nil {
			return nil, err
		}
	}
}

func (s *Session) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.Spec.Target.GetNamespace(), Name: s.Spec.Target.GetName()}
}
