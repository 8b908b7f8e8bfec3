package workload

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// takeBack writes the way back's shape over the live object, held. Where nothing was ever changed it writes nothing.
func (s *session) takeBack(ctx context.Context, g Grip, state State) error {
	if err := s.inTouch(ctx); err != nil {
		return err
	}
	_, err := s.change(ctx, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		before, err := HoldOf(live)
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := before.ours(s.spec); err != nil {
				return nil, err
			}
			if before.by(s.spec) && before.Back {
				return nil, nil
			}
		}
		desired, err := remade(s.spec.Target, live, s.spec.WayBack, s.family.Schema)
		if err != nil {
			return nil, err
		}
		setFields(desired, s.family.Holds, ownerFields(live, s.family.Holds))
		hold := s.newHold(live, before, state.Previous)
		if before != nil && before.by(s.spec) {
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
		return desired, hold.writeTo(desired)
	})
	return err
}

// goBack makes desired's template, which has what this run changed taken back, the way back's. A template that is as this
// run left it can become the very one of the previous revision. One that is not may be anybody's: it gets all that the way
// back says, beside what others have added.
func (s *session) goBack(desired, live *unstructured.Unstructured, state State, previous string) error {
	left := state.Template == templateDigest(templateOf(live))
	if left || state.Template == "" {
		s.exact(desired, live, previous, s.spec.WayBack)
	}
	if left || carries(templateOf(desired), templateOf(s.spec.WayBack)) {
		return nil
	}
	template, err := enforced(templateOf(desired), templateOf(s.spec.WayBack))
	if err != nil {
		return err
	}
	desired.Object["spec"].(map[string]any)["template"] = template
	return nil
}

// exact gives desired the very template that the pods of a revision were made of, where that is what was rendered: the
// controller then knows those pods as current, whatever others had added to it.
func (s *session) exact(desired, live *unstructured.Unstructured, hash string, rendered *unstructured.Unstructured) {
	rev, ok := s.named(live.GetUID(), hash)
	if !ok || !carries(rev.template, templateOf(rendered)) {
		return
	}
	desired.Object["spec"].(map[string]any)["template"] = deepCopy(rev.template)
}

// withTemplate is live with the template of a revision, or the rendered one where that revision is gone.
func (s *session) withTemplate(live *unstructured.Unstructured, hash string, recorded, rendered *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	merged, err := remade(recorded, live, rendered, s.family.Schema)
	if err != nil {
		return nil, err
	}
	desired := live.DeepCopy()
	desired.Object["spec"].(map[string]any)["template"] = templateOf(merged)
	s.exact(desired, live, hash, rendered)
	return desired, nil
}
