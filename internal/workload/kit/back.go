package kit

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/podtemplate"
)

// takeBack writes the way back's shape over the live object, held. Where nothing was ever changed it writes nothing.
func (s *Session) takeBack(ctx context.Context, g Grip, state workload.State) error {
	if err := s.inTouch(ctx); err != nil {
		return err
	}
	_, err := s.Change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := workload.HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := before.Ours(s.Spec); err != nil {
				return nil, err
			}
			if before.By(s.Spec) && before.Back {
				return nil, nil
			}
		}
		desired, err := remade(s.Spec.Target, live, s.Spec.WayBack, s.Family.Schema)
		if err != nil {
			return nil, err
		}
		field.Put(desired, s.Family.Holds, field.Pick(live, s.Family.Holds))
		hold := s.newHold(live, before, state.Previous)
		if before != nil && before.By(s.Spec) {
			known := hold.Previous
			if hold = before; s.previous(live, hold) == "" {
				hold.Previous = known
			}
		}
		if err := s.goBack(desired, live, state, s.previous(live, hold)); err != nil {
			return nil, err
		}
		if before == nil {
			patch, err := difference(live, desired)
			if err != nil || patch == nil && !g.Elsewhere(s, desired) {
				return nil, err
			}
		}
		hold.Back, hold.Armed = true, true
		if err := g.Grab(s, desired, hold); err != nil {
			return nil, err
		}
		return desired, hold.WriteTo(desired)
	})
	return err
}

// goBack makes desired's template, which has what this run changed taken back, the way back's. A template that is as this
// run left it can become the very one of the previous revision. One that is not may be anybody's: it gets all that the way
// back says, beside what others have added.
func (s *Session) goBack(desired, live *unstructured.Unstructured, state workload.State, previous string) error {
	left := state.Template == podtemplate.Digest(podtemplate.Of(live))
	if left || state.Template == "" {
		s.exact(desired, live, previous, s.Spec.WayBack)
	}
	if left || podtemplate.Carries(podtemplate.Of(desired), podtemplate.Of(s.Spec.WayBack)) {
		return nil
	}
	template, err := enforced(podtemplate.Of(desired), podtemplate.Of(s.Spec.WayBack))
	if err != nil {
		return err
	}
	desired.Object["spec"].(map[string]any)["template"] = template
	return nil
}

// exact gives desired the very template that the pods of a revision were made of, where that is what was rendered: the
// controller then knows those pods as current, whatever others had added to it.
func (s *Session) exact(desired, live *unstructured.Unstructured, hash string, rendered *unstructured.Unstructured) {
	rev, ok := s.named(live.GetUID(), hash)
	if !ok || !podtemplate.Carries(rev.template, podtemplate.Of(rendered)) {
		return
	}
	desired.Object["spec"].(map[string]any)["template"] = field.Copy(rev.template)
}

// withTemplate is live with the template of a revision, or the rendered one where that revision is gone.
func (s *Session) withTemplate(
	live *unstructured.Unstructured, hash string, recorded, rendered *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	merged, err := remade(recorded, live, rendered, s.Family.Schema)
	if err != nil {
		return nil, err
	}
	desired := live.DeepCopy()
	desired.Object["spec"].(map[string]any)["template"] = podtemplate.Of(merged)
	s.exact(desired, live, hash, rendered)
	return desired, nil
}
