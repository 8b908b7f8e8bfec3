package change

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/templates"
)

// Why a found object stays as it is.
const (
	staysKept  = "what it holds is worth more than tidiness"
	staysGone  = "somebody else deleted it, and it is not made anew"
	staysOther = "another one has taken its place"
	staysOurs  = "it is a workload of a run that was given up, and this one does not move it"
)

// foundObject is an object that was there before it was written, with what was written of it.
type foundObject struct {
	id      string
	before  ledger.PreImage
	written []*unstructured.Unstructured // oldest first, at least one
}

func (f foundObject) last() *unstructured.Unstructured { return f.written[len(f.written)-1] }

// foundObjects lists the objects of an era that were found and written, and for which a deployment does not say what they were;
// the one that was written last comes first.
func foundObjects(ctx context.Context, blobs Blobs, e era, recorded func(*unstructured.Unstructured) bool) ([]foundObject, error) {
	var all []foundObject
	for _, p := range slices.Backward(e.images) {
		if last, known := e.latest(p.Object); !known || last != p || p.UID == "" {
			continue // it was given back, or has been made since
		}
		written, err := e.written(ctx, blobs, p.Object)
		if err != nil {
			return nil, err
		}
		if len(written) == 0 || recorded(written[0]) {
			continue
		}
		all = append(all, foundObject{p.Object, p, written})
	}
	return all, nil
}

// restoreFound gives an object that was found what it had, but for workloads: those have drivers.
func (w Writer) restoreFound(ctx context.Context, e era, set Set, goes turn, f foundObject) (Entry, error) {
	o := f.last()
	switch {
	case turnOf(o) != goes:
		return Entry{}, nil
	case slices.Contains(keptKinds, o.GetKind()):
		return kept(templates.Name(o), staysKept), nil
	case set.moves(o):
		return Entry{}, nil
	case isDriven(o):
		return kept(templates.Name(o), staysOurs), nil
	}
	return w.undo(ctx, e, f)
}

// undoAttempts is how often a write is tried anew when somebody else wrote in between.
const undoAttempts = 5

// undo gives one found object back what it had, in what was changed of it.
func (w Writer) undo(ctx context.Context, e era, f foundObject) (Entry, error) {
	for attempt := 1; ; attempt++ {
		entry, err := w.undoOnce(ctx, e, f)
		if fault.CodeOf(err) != fault.Conflict || attempt == undoAttempts {
			return entry, err
		}
	}
}

func (w Writer) undoOnce(ctx context.Context, e era, f foundObject) (Entry, error) {
	live, err := get(ctx, w.Cluster, f.last())
	if err != nil {
		return Entry{}, err
	}
	if live == nil {
		return kept(templates.Name(f.last()), staysGone), nil
	}
	p, known := e.image(f.id, live.GetUID())
	switch {
	case !known && e.isOurs(f.id, live):
		return Entry{}, nil
	case !known:
		return kept(templates.Name(live), staysOther), nil
	}
	image, err := imageOf(ctx, w.Records, p)
	if err != nil {
		return Entry{}, err
	}
	ignore, err := w.Ignore(ctx)
	if err != nil {
		return Entry{}, err
	}
	found, err := patch.Undo(image, live, f.written, patch.Options{Component: w.Part.Subject.String(), Ignore: ignore})
	if err != nil || found.Action == patch.Unchanged {
		return Entry{}, err
	}
	return w.sendBack(ctx, found, patch.Earlier(f.last(), image))
}

func isDriven(o *unstructured.Unstructured) bool {
	_, err := drivers.For(o.GroupVersionKind().GroupKind())
	return err == nil
}
