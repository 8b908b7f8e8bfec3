package cluster

import (
	"bytes"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/templates"
)

// The steps of writes, as the ledger keeps them.
const (
	stepApply   = "apply"
	stepPrepare = "prepare"
	stepRevert  = "revert"
	stepDelete  = "delete"
)

// Apply writes the objects of one phase that are not workloads, in the order of the change set. On the way back it also
// takes away what the run made that is taken back: first what could refuse every other write, last the rest.
func (a *Activities) Apply(ctx context.Context, req step.ApplyRequest) (out step.ApplyResult, err error) {
	set, err := a.changes(ctx, req.Changes)
	if err != nil {
		return out, err
	}
	ctx, c, done, err := a.fence(ctx, req.Ref)
	if err != nil {
		return out, err
	}
	defer done(&err)
	if req.Back && !req.After {
		if err := a.giveBack(ctx, c, req.Ref, set, true, &out); err != nil {
			return out, err
		}
	}
	phase := templates.Before
	if req.After {
		phase = templates.After
	}
	for _, ch := range set.inTurn(phase, req.Back) {
		err := a.write(ctx, c, req.Ref, ch, &out)
		if req.Back && fault.CodeOf(err) == fault.Invalid {
			out.Kept = append(out.Kept, stays(ch.Object, err.Error()))
			continue
		}
		if err != nil {
			return out, err
		}
	}
	if req.Back && req.After {
		err = a.giveBack(ctx, c, req.Ref, set, false, &out)
	}
	return out, err
}

// inTurn lists the changes that are written in a phase, in order. On the way back what could refuse the others, and is there
// still, goes before all of them.
func (s changeSet) inTurn(phase templates.PhaseName, back bool) []change {
	var first, rest []change
	for _, c := range s.Objects {
		switch isFirst := back && c.Action == patch.Patch && slices.Contains(firstToGo, c.target().GetKind()); {
		case c.Action == patch.Unchanged:
		case isFirst && phase == templates.Before:
			first = append(first, c)
		case !isFirst && c.Phase == phase:
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

// write makes one change: the intent is recorded before it, the resource version after it. A patch whose object moved
// on meanwhile is computed again, and sent only where it comes to the same.
func (a *Activities) write(ctx context.Context, c kube.Fenced, ref step.Ref, ch change, out *step.ApplyResult) error {
	e, err := a.eraOf(ctx, ref, ref.Run)
	if err != nil {
		return err
	}
	var live *unstructured.Unstructured
	if ch.Action != patch.Create { // that it is not there is what creating it proves
		if live, err = get(ctx, c, ch.target()); err != nil {
			return err
		}
	}
	made, err := a.before(ctx, e, ref, ch.target(), live)
	if err != nil {
		return err
	}
	w, err := a.intend(ctx, ref, stepApply, ch.target(), made)
	if err != nil {
		return err
	}
	if ch.Action == patch.Create {
		stored, err := c.Create(ctx, ch.target())
		if err == nil {
			out.Created = append(out.Created, ch.Object)
			return a.wrote(ctx, w, stored)
		}
		if fault.CodeOf(err) != fault.Conflict {
			return err
		}
		if !e.tried(w.Object) {
			return a.taken(ctx, c, ref, ch, w, err, out)
		}
		return a.again(ctx, c, ref, ch, w, err, out)
	}
	body, err := patch.WithVersion(ch.Patch, ch.LiveVersion)
	if err != nil {
		return err
	}
	o := ch.target()
	stored, err := c.Patch(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName(), ch.PatchType, body)
	if err == nil {
		out.Patched = append(out.Patched, ch.Object)
		return a.wrote(ctx, w, stored)
	}
	if fault.CodeOf(err) != fault.Conflict {
		return err
	}
	return a.again(ctx, c, ref, ch, w, err, out)
}

// taken is where somebody else has made an object since it was looked for: it is not Sluice's to take away.
func (a *Activities) taken(ctx context.Context, c kube.Fenced, ref step.Ref, ch change, w ledger.Write, cause error, out *step.ApplyResult) error {
	live, err := get(ctx, c, ch.target())
	if err != nil {
		return err
	}
	if live != nil {
		p := ledger.PreImage{Run: ref.Run, Cluster: ref.Cluster, Component: ref.Component, Object: w.Object, At: w.At}
		if err := a.keep(ctx, p, live); err != nil {
			return err
		}
		w.Created = false
		if err := a.Ledger.SaveWrite(ctx, w); err != nil {
			return err
		}
	}
	return a.again(ctx, c, ref, ch, w, cause, out)
}

// again looks at an object that was not as the change set saw it: our own write of before, or somebody else's.
func (a *Activities) again(ctx context.Context, c kube.Fenced, ref step.Ref, ch change, w ledger.Write, cause error, out *step.ApplyResult) error {
	o := ch.target()
	live, err := c.Get(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if err != nil {
		return err
	}
	found, err := patch.Compute(patch.Triple{Recorded: ch.wayBack(), Live: live, Target: o}, patch.Options{
		Component: ref.Component, Intents: []*unstructured.Unstructured{o},
	})
	if err != nil {
		return err
	}
	switch {
	case len(found.Refusals) > 0:
		return fault.Wrap(fault.Conflict, cause, "cannot write %s in cluster %s: it was changed meanwhile: %s", ch.Object, ref.Cluster, found.Refusals[0].Message)
	case found.Action == patch.Unchanged:
		return a.wrote(ctx, w, live)
	case ch.Action == patch.Create || !bytes.Equal(found.Patch, ch.Patch):
		return fault.Wrap(fault.Conflict, cause, "cannot write %s in cluster %s: it was changed meanwhile, and the change would not be the planned one", ch.Object, ref.Cluster)
	}
	body, err := patch.WithVersion(found.Patch, found.LiveVersion)
	if err != nil {
		return err
	}
	stored, err := c.Patch(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName(), found.PatchType, body)
	if err != nil {
		return err
	}
	out.Patched = append(out.Patched, ch.Object)
	return a.wrote(ctx, w, stored)
}

// intend records what a write is meant to leave.
func (a *Activities) intend(ctx context.Context, ref step.Ref, what string, o *unstructured.Unstructured, m making) (ledger.Write, error) {
	intent, err := a.putJSON(ctx, o.Object)
	if err != nil {
		return ledger.Write{}, err
	}
	w := ledger.Write{
		Run: ref.Run, Cluster: ref.Cluster, Component: ref.Component, Object: templates.ID(o), Step: what, Intent: intent,
		UID: string(m.uid), Created: m.ours, At: time.Now().UTC(),
	}
	return w, a.Ledger.SaveWrite(ctx, w)
}

// wrote records what a write left.
func (a *Activities) wrote(ctx context.Context, w ledger.Write, stored *unstructured.Unstructured) error {
	if stored != nil {
		w.UID, w.ResourceVersion = string(stored.GetUID()), stored.GetResourceVersion()
	}
	w.At = time.Now().UTC()
	return a.Ledger.SaveWrite(ctx, w)
}
