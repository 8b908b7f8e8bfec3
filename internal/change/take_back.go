package change

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// turn is when an object goes on the way back.
type turn int

const (
	first turn = iota // what could refuse every other write: before anything else
	rest              // everything else, once the workloads are back
)

// firstToGo are the kinds that could refuse or break every other write once their backend goes: a run that made them
// takes them away before anything else.
var firstToGo = []string{
	"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding", "APIService",
}

func turnOf(o *unstructured.Unstructured) turn {
	if slices.Contains(firstToGo, o.GetKind()) {
		return first
	}
	return rest
}

// keptKinds are never taken away: what they hold is worth more than tidiness.
var keptKinds = []string{"CustomResourceDefinition", "Namespace", "PersistentVolumeClaim"}

// TakeBack takes back what this run wrote that is not a workload, phase by phase in the reverse of the order in which it was
// written. After the workloads had come what has to go before they move back: with that goes what could refuse every other write.
func (w Writer) TakeBack(ctx context.Context, set Set, phase templates.PhaseName) (done Entries, err error) {
	goes := rest
	if phase == templates.After {
		goes = first
	}
	if err := w.giveBack(ctx, set, goes, &done); err != nil {
		return done, err
	}
	for _, o := range slices.Backward(set.Objects) {
		if o.Phase != phase || o.Action != patch.Patch || o.Recorded == nil {
			continue
		}
		entry, err := w.restore(ctx, o)
		if err != nil {
			return done, err
		}
		done.add(entry)
	}
	return done, nil
}

// giveBack takes back what no deployment says how to: it deletes what was made in the run's era, and gives what was found what
// it had.
func (w Writer) giveBack(ctx context.Context, set Set, goes turn, done *Entries) error {
	e, err := eraOf(ctx, w.Records, w.Part, w.Part.undone())
	if err != nil {
		return err
	}
	for _, write := range slices.Backward(e.writes) {
		if !write.Created || write.Step != stepApply && write.Step != stepPrepare {
			continue
		}
		entry, err := w.takeAway(ctx, e, set, goes, write)
		if err != nil {
			return err
		}
		done.add(entry)
	}
	found, err := foundObjects(ctx, w.Records, e, func(o *unstructured.Unstructured) bool { return set.records(o, w.Part) })
	if err != nil {
		return err
	}
	for _, f := range found {
		entry, err := w.restoreFound(ctx, e, set, goes, f)
		if err != nil {
			return err
		}
		done.add(entry)
	}
	return nil
}

// takeAway deletes an object that was made, but for keptKinds and what the change set brings.
func (w Writer) takeAway(ctx context.Context, e era, set Set, goes turn, write ledger.Write) (Entry, error) {
	o, err := intended(ctx, w.Records, write)
	if err != nil {
		return Entry{}, err
	}
	switch {
	case turnOf(o) != goes:
		return Entry{}, nil
	case slices.Contains(keptKinds, o.GetKind()):
		return kept(templates.Name(o), ""), nil
	case (w.Part.Back || write.Step == stepPrepare) && set.has(o):
		return Entry{}, nil // it is what goes back to, or its driver deletes it
	}
	uid, err := w.uidOf(ctx, e, write, o)
	if err != nil || uid == "" {
		return Entry{}, err
	}
	if _, err := w.intend(ctx, stepDelete, o, making{}); err != nil {
		return Entry{}, err
	}
	err = w.Cluster.Delete(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName(), uid)
	switch fault.CodeOf(err) {
	case "":
		return Entry{Object: templates.Name(o), Action: Deleted}, nil
	case fault.NotFound, fault.Conflict:
		return Entry{}, nil // it is gone, or another one took its name: either way what this run made is not there any more
	}
	return Entry{}, err
}

// uidOf is the UID of an object that was made. Where Sluice was killed before it could write it down, it is that of the object
// of this name that carries our component and was not found; "" where there is none.
func (w Writer) uidOf(ctx context.Context, e era, write ledger.Write, o *unstructured.Unstructured) (types.UID, error) {
	if write.UID != "" {
		return types.UID(write.UID), nil
	}
	live, err := get(ctx, w.Cluster, o)
	if err != nil || live == nil || live.GetAnnotations()[templates.ComponentAnnotation] != e.component {
		return "", err
	}
	if _, found := e.image(write.Object, live.GetUID()); found {
		return "", nil
	}
	return live.GetUID(), nil
}

// restore gives an object back what was recorded before the run.
func (w Writer) restore(ctx context.Context, o Object) (Entry, error) {
	if slices.Contains(keptKinds, o.Target().GetKind()) {
		return kept(o.Name, ""), nil
	}
	target := o.WayBack()
	live, err := get(ctx, w.Cluster, target)
	if err != nil {
		return Entry{}, err
	}
	ignore, err := w.Ignore(ctx)
	if err != nil {
		return Entry{}, err
	}
	found, err := patch.Compute(patch.Triple{Recorded: o.Target(), Live: live, Target: target}, patch.Options{
		Component: w.Part.Subject.String(), Ignore: ignore, Drift: pipelines.DriftOverwrite,
		Intents: []*unstructured.Unstructured{o.Target(), target},
	})
	if err != nil || found.Action == patch.Unchanged {
		return Entry{}, err
	}
	return w.sendBack(ctx, found, target)
}

// sendBack writes what takes an object back. What the API server would not let happen, or what is not ours, is kept.
func (w Writer) sendBack(ctx context.Context, found patch.Change, target *unstructured.Unstructured) (Entry, error) {
	if no, final := patch.Final(found.Refusals); final {
		return kept(found.Object, no.Message), nil
	}
	e, err := eraOf(ctx, w.Records, w.Part, w.Part.Run)
	if err != nil {
		return Entry{}, err
	}
	live, err := get(ctx, w.Cluster, target)
	if err != nil {
		return Entry{}, err
	}
	if _, err := w.before(ctx, e, target, live); err != nil {
		return Entry{}, err
	}
	meant, err := w.intend(ctx, stepRevert, target, making{})
	if err != nil {
		return Entry{}, err
	}
	stored, err := w.sendAs(ctx, found, target)
	if fault.CodeOf(err) == fault.Invalid {
		return kept(found.Object, err.Error()), nil
	}
	if err != nil {
		return Entry{}, err
	}
	return Entry{Object: found.Object, Action: Patched}, w.wrote(ctx, meant, stored)
}
