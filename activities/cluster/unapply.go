package cluster

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
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
	if err := a.takeAway(ctx, c, req.Ref, req.Run, set, req.After, &out); err != nil {
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

// takeAway deletes what a run made: with first, the kinds of firstToGo, else everything else but keptKinds and what the
// change set brings.
func (a *Activities) takeAway(ctx context.Context, c kube.Fenced, ref step.Ref, run string, set changeSet, first bool, out *step.ApplyResult) error {
	writes, err := a.Ledger.ListWrites(ctx, run, ref.Cluster)
	if err != nil {
		return err
	}
	for _, w := range slices.Backward(writes) {
		// A workload that the unit itself made is deleted by its driver; one of a run that has ended goes here.
		if !w.Created || w.Step != stepApply && (run == ref.Run || w.Step != stepPrepare) {
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
		case run != ref.Run && set.has(o):
			continue
		}
		uid, err := a.uidOf(ctx, c, ref, w.UID, o)
		if err != nil {
			return err
		}
		if uid == "" {
			continue
		}
		if _, err := a.intend(ctx, ref, stepDelete, o, false); err != nil {
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

// uidOf is the UID of an object that a run made. Where the run was killed before it could write it down, it is that of the
// object of this name that carries our component; "" where there is none.
func (a *Activities) uidOf(ctx context.Context, c kube.Fenced, ref step.Ref, known string, o *unstructured.Unstructured) (types.UID, error) {
	if known != "" {
		return types.UID(known), nil
	}
	live, err := c.Get(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if fault.CodeOf(err) == fault.NotFound {
		return "", nil
	}
	if err != nil || live.GetAnnotations()[templates.ComponentAnnotation] != ref.Component {
		return "", err
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
	w, err := a.intend(ctx, ref, stepRevert, target, false)
	if err != nil {
		return err
	}
	stored, err := send(ctx, c, found, target)
	if err != nil {
		return err
	}
	out.Patched = append(out.Patched, ch.Object)
	return a.wrote(ctx, w, stored)
}

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
