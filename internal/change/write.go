package change

import (
	"bytes"
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/templates"
)

// Write writes the objects of one phase, in the order of the set. On the way back it also takes away what the run made that is
// taken back: before the workloads what could refuse every other write, after them the rest.
func (w Writer) Write(ctx context.Context, set Set, phase templates.PhaseName) (done Entries, err error) {
	if w.Part.Back && phase == templates.Before {
		if err := w.giveBack(ctx, set, first, &done); err != nil {
			return done, err
		}
	}
	for _, o := range set.inTurn(phase, w.Part) {
		entry, err := w.write(ctx, o)
		if w.Part.Back && fault.CodeOf(err) == fault.Invalid {
			entry, err = kept(o.Name, err.Error()), nil
		}
		if err != nil {
			return done, err
		}
		done.add(entry)
	}
	if w.Part.Back && phase == templates.After {
		err = w.giveBack(ctx, set, rest, &done)
	}
	return done, err
}

// write makes one change: the intent is recorded before it, the resource version after it. A patch whose object moved
// on meanwhile is computed again, and sent only where it comes to the same.
func (w Writer) write(ctx context.Context, o Object) (Entry, error) {
	e, err := eraOf(ctx, w.Records, w.Part, w.Part.Run)
	if err != nil {
		return Entry{}, err
	}
	var live *unstructured.Unstructured
	if o.Action != patch.Create { // that it is not there is what creating it proves
		if live, err = get(ctx, w.Cluster, o.Target()); err != nil {
			return Entry{}, err
		}
	}
	made, err := w.before(ctx, e, o.Target(), live)
	if err != nil {
		return Entry{}, err
	}
	meant, err := w.intend(ctx, stepApply, o.Target(), made)
	if err != nil {
		return Entry{}, err
	}
	stored, err := w.send(ctx, o)
	switch {
	case err == nil && o.Action == patch.Create:
		return Entry{Object: o.Name, Action: Created}, w.wrote(ctx, meant, stored)
	case err == nil:
		return Entry{Object: o.Name, Action: Patched}, w.wrote(ctx, meant, stored)
	case fault.CodeOf(err) != fault.Conflict:
		return Entry{}, err
	case o.Action == patch.Create && !e.tried(meant.Object):
		return w.taken(ctx, o, meant, err)
	}
	return w.again(ctx, o, meant, err)
}

// send asks the cluster for what was planned.
func (w Writer) send(ctx context.Context, o Object) (*unstructured.Unstructured, error) {
	return w.sendAs(ctx, patch.Change{Action: o.Action, Patch: o.Patch, PatchType: o.PatchType, LiveVersion: o.LiveVersion}, o.Target())
}

// sendAs asks the cluster for a computed change.
func (w Writer) sendAs(ctx context.Context, found patch.Change, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if found.Action == patch.Create {
		return w.Cluster.Create(ctx, target)
	}
	body, err := patch.WithVersion(found.Patch, found.LiveVersion)
	if err != nil {
		return nil, err
	}
	return w.Cluster.Patch(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName(), found.PatchType, body)
}

// taken is where somebody else has made an object since it was looked for: it is not Sluice's to take away.
func (w Writer) taken(ctx context.Context, o Object, meant ledger.Write, cause error) (Entry, error) {
	live, err := get(ctx, w.Cluster, o.Target())
	if err != nil {
		return Entry{}, err
	}
	if live != nil {
		if err := w.keep(ctx, meant.Object, live); err != nil {
			return Entry{}, err
		}
		meant.Created = false
		if err := w.Records.SaveWrite(ctx, meant); err != nil {
			return Entry{}, err
		}
	}
	return w.again(ctx, o, meant, cause)
}

// again looks at an object that was not as the change set saw it: our own write of before, or somebody else's.
func (w Writer) again(ctx context.Context, o Object, meant ledger.Write, cause error) (Entry, error) {
	target := o.Target()
	live, err := w.Cluster.Get(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName())
	if err != nil {
		return Entry{}, err
	}
	found, err := patch.Compute(patch.Triple{Recorded: o.WayBack(), Live: live, Target: target}, patch.Options{
		Component: w.Part.Subject.String(), Intents: []*unstructured.Unstructured{target},
	})
	if err != nil {
		return Entry{}, err
	}
	const changed = "cannot write %s in cluster %s: it was changed meanwhile"
	switch {
	case len(found.Refusals) > 0:
		return Entry{}, fault.Wrap(fault.Conflict, cause, changed+": %s", o.Name, w.Part.Cluster, found.Refusals[0].Message)
	case found.Action == patch.Unchanged:
		return Entry{}, w.wrote(ctx, meant, live)
	case o.Action == patch.Create || !bytes.Equal(found.Patch, o.Patch):
		return Entry{}, fault.Wrap(fault.Conflict, cause, changed+", and the change would not be the planned one", o.Name, w.Part.Cluster)
	}
	stored, err := w.sendAs(ctx, found, target)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Object: o.Name, Action: Patched}, w.wrote(ctx, meant, stored)
}
