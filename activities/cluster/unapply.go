package cluster

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// firstToGo are the kinds that could refuse or break every other write once their backend goes: a run that made them
// takes them away before anything else.
var firstToGo = []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding", "APIService"}

// keptKinds are never taken away: what they hold is worth more than tidiness.
var keptKinds = []string{"CustomResourceDefinition", "Namespace", "PersistentVolumeClaim"}

// Unapply takes back what this run wrote that is not a workload. With After it is what must go before the workloads move
// back, and what was written after them; else the rest, in the reverse of the order in which it was written.
func (a *Activities) Unapply(ctx context.Context, req step.ApplyRequest) (out step.ApplyResult, err error) {
	set, err := a.changes(ctx, req.Changes)
	if err != nil {
		return out, err
	}
	ctx, c, done, err := a.fence(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	defer done(&err)
	if err := a.giveBack(ctx, c, req.Ref, set, req.After, &out); err != nil {
		return out, err
	}
	p, _, _, err := a.unitOf(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	phase := templates.Before
	if req.After {
		phase = templates.After
	}
	for _, ch := range slices.Backward(set.Objects) {
		if ch.Phase != phase || ch.Action != patch.Patch || ch.WayBack == nil {
			continue
		}
		if slices.Contains(keptKinds, ch.target().GetKind()) {
			out.Kept = append(out.Kept, ch.Object)
			continue
		}
		if err := a.restore(ctx, c, req.Ref, ch, p.Ignore, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// giveBack takes back what no deployment says how to: it deletes what was made in the run's era, and gives what was found what
// it had. With first it is the kinds of firstToGo, else all others.
func (a *Activities) giveBack(ctx context.Context, c kube.Fenced, ref step.Ref, set changeSet, first bool, out *step.ApplyResult) error {
	e, err := a.eraOf(ctx, ref, undone(ref))
	if err != nil {
		return err
	}
	if err := a.takeAway(ctx, c, ref, e, set, first, out); err != nil {
		return err
	}
	return a.restoreFound(ctx, c, ref, e, set, first, out)
}

// takeAway deletes what was made in an era, but for keptKinds and what the change set brings.
func (a *Activities) takeAway(ctx context.Context, c kube.Fenced, ref step.Ref, e era, set changeSet, first bool, out *step.ApplyResult) error {
	for _, w := range slices.Backward(e.writes) {
		if !w.Created || w.Step != stepApply && w.Step != stepPrepare {
			continue
		}
		o, err := a.intended(ctx, w)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(firstToGo, o.GetKind()) != first:
			continue
		case slices.Contains(keptKinds, o.GetKind()):
			out.Kept = append(out.Kept, templates.Name(o))
			continue
		case (ref.Back || w.Step == stepPrepare) && set.has(o):
			continue // it is what goes back to, or its driver deletes it
		}
		uid, err := a.uidOf(ctx, c, e, w, o)
		if err != nil {
			return err
		}
		if uid == "" {
			continue
		}
		if _, err := a.intend(ctx, ref, stepDelete, o, making{}); err != nil {
			return err
		}
		err = c.Delete(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName(), uid)
		switch fault.CodeOf(err) {
		case "":
			out.Deleted = append(out.Deleted, templates.Name(o))
		case fault.NotFound, fault.Conflict:
			// It is gone, or another one took its name: either way what this run made is not there any more.
		default:
			return err
		}
	}
	return nil
}

// uidOf is the UID of an object that was made. Where Sluice was killed before it could write it down, it is that of the object
// of this name that carries our component and was not found; "" where there is none.
func (a *Activities) uidOf(ctx context.Context, c kube.Fenced, e era, w ledger.Write, o *unstructured.Unstructured) (types.UID, error) {
	if w.UID != "" {
		return types.UID(w.UID), nil
	}
	live, err := get(ctx, c, o)
	if err != nil || live == nil || live.GetAnnotations()[templates.ComponentAnnotation] != e.component {
		return "", err
	}
	if _, found := e.image(w.Object, live.GetUID()); found {
		return "", nil
	}
	return live.GetUID(), nil
}

func (s changeSet) has(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(s.Objects, func(c change) bool { return templates.ID(c.target()) == templates.ID(o) })
}

// restore gives an object back what was recorded before the run.
func (a *Activities) restore(ctx context.Context, c kube.Fenced, ref step.Ref, ch change, ignore []pipelines.IgnoreRule, out *step.ApplyResult) error {
	target := ch.wayBack()
	live, err := c.Get(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName())
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return err
	}
	if err != nil {
		live = nil
	}
	found, err := patch.Compute(patch.Triple{Recorded: ch.target(), Live: live, Target: target}, patch.Options{
		Component: ref.Component, Ignore: ignore, Drift: pipelines.DriftOverwrite, Intents: []*unstructured.Unstructured{ch.target(), target},
	})
	if err != nil || found.Action == patch.Unchanged {
		return err
	}
	return a.sendBack(ctx, c, ref, found, target, out)
}

// sendBack writes what takes an object back. What the API server would not let happen, or what is not ours, stays and is listed.
func (a *Activities) sendBack(ctx context.Context, c kube.Fenced, ref step.Ref, found patch.Change, target *unstructured.Unstructured, out *step.ApplyResult) error {
	if no, final := patch.Final(found.Refusals); final {
		out.Kept = append(out.Kept, stays(found.Object, no.Message))
		return nil
	}
	e, err := a.eraOf(ctx, ref, ref.Run)
	if err != nil {
		return err
	}
	live, err := get(ctx, c, target)
	if err != nil {
		return err
	}
	if _, err := a.before(ctx, e, ref, target, live); err != nil {
		return err
	}
	w, err := a.intend(ctx, ref, stepRevert, target, making{})
	if err != nil {
		return err
	}
	stored, err := send(ctx, c, found, target)
	if fault.CodeOf(err) == fault.Invalid {
		out.Kept = append(out.Kept, stays(found.Object, err.Error()))
		return nil
	}
	if err != nil {
		return err
	}
	out.Patched = append(out.Patched, found.Object)
	return a.wrote(ctx, w, stored)
}

// stays reads an object that could not be taken back, and why.
func stays(object, why string) string { return object + " (" + why + ")" }

// send writes a computed change.
func send(ctx context.Context, c kube.Fenced, found patch.Change, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if found.Action == patch.Create {
		return c.Create(ctx, target)
	}
	body, err := patch.WithVersion(found.Patch, found.LiveVersion)
	if err != nil {
		return nil, err
	}
	return c.Patch(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName(), found.PatchType, body)
}
