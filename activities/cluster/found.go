package cluster

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
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
func (a *Activities) foundObjects(ctx context.Context, e era, recorded func(*unstructured.Unstructured) bool) ([]foundObject, error) {
	var all []foundObject
	for _, p := range slices.Backward(e.images) {
		if last, known := e.latest(p.Object); !known || last != p || p.UID == "" {
			continue // it was given back, or has been made since
		}
		written, err := a.written(ctx, e, p.Object)
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

// restoreFound gives the objects of an era that were found what they had, but for workloads: those have drivers.
func (a *Activities) restoreFound(ctx context.Context, c kube.Fenced, ref step.Ref, e era, set changeSet, first bool, out *step.ApplyResult) error {
	found, err := a.foundObjects(ctx, e, func(o *unstructured.Unstructured) bool { return set.recorded(o, ref.Back) })
	if err != nil || len(found) == 0 {
		return err
	}
	p, _, _, err := a.unitOf(ctx, ref)
	if err != nil {
		return err
	}
	for _, f := range found {
		o := f.last()
		switch {
		case slices.Contains(firstToGo, o.GetKind()) != first:
		case slices.Contains(keptKinds, o.GetKind()):
			out.Kept = append(out.Kept, stays(templates.Name(o), staysKept))
		case set.moves(o):
		case isDriven(o):
			out.Kept = append(out.Kept, stays(templates.Name(o), staysOurs))
		default:
			if err := a.undo(ctx, c, ref, e, f, p.Ignore, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// undo gives one found object back what it had, in what was changed of it.
func (a *Activities) undo(ctx context.Context, c kube.Fenced, ref step.Ref, e era, f foundObject, ignore []pipelines.IgnoreRule, out *step.ApplyResult) error {
	for attempt := 1; ; attempt++ {
		live, err := get(ctx, c, f.last())
		if err != nil {
			return err
		}
		if live == nil {
			out.Kept = append(out.Kept, stays(templates.Name(f.last()), staysGone))
			return nil
		}
		p, known := e.image(f.id, live.GetUID())
		if !known {
			if !e.isOurs(f.id, live) {
				out.Kept = append(out.Kept, stays(templates.Name(live), staysOther))
			}
			return nil
		}
		image, err := a.imageOf(ctx, p)
		if err != nil {
			return err
		}
		found, err := patch.Undo(image, live, f.written, patch.Options{Component: ref.Component, Ignore: ignore})
		if err != nil || found.Action == patch.Unchanged {
			return err
		}
		err = a.sendBack(ctx, c, ref, found, patch.Earlier(f.last(), image), out)
		if fault.CodeOf(err) != fault.Conflict || attempt == undoAttempts {
			return err
		}
	}
}

// undoAttempts is how often a write is tried anew when somebody else wrote in between.
const undoAttempts = 5

// recorded reports whether a deployment says what an object goes back to: then that counts and not its pre-image.
func (s changeSet) recorded(o *unstructured.Unstructured, back bool) bool {
	return slices.ContainsFunc(s.Objects, func(c change) bool {
		return templates.ID(c.target()) == templates.ID(o) && !c.Found && (back || c.WayBack != nil)
	})
}

// moves reports whether the unit itself moves a workload.
func (s changeSet) moves(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(s.Objects, func(c change) bool {
		return templates.ID(c.target()) == templates.ID(o) && c.Phase == templates.Workloads
	})
}

func isDriven(o *unstructured.Unstructured) bool {
	_, err := drivers.For(o.GroupVersionKind().GroupKind())
	return err == nil
}

// earlier says where a workload goes back to for which no deployment says it: to its pre-image, in what the run writes of it, or
// out of the cluster where Sluice made it.
func (a *Activities) earlier(ctx context.Context, e era, ch change, spec *workload.Spec) error {
	id := templates.ID(ch.target())
	p, known := e.latest(id)
	switch {
	case !known:
		return nil // it was taken hold of by a Sluice that kept none
	case p.UID == "":
		spec.Made = e.made(id)
		return nil
	}
	image, err := a.imageOf(ctx, p)
	if err != nil {
		return err
	}
	spec.WayBack = patch.Earlier(ch.target(), image)
	return nil
}

// standsThere checks, before a workload goes back to a pre-image, that it is still the one that was found. It says why not.
func standsThere(ctx context.Context, c kube.Reader, e era, ch change) (string, error) {
	id := templates.ID(ch.target())
	p, known := e.latest(id)
	if !known || p.UID == "" {
		return "", nil
	}
	live, err := get(ctx, c, ch.target())
	if err != nil || live == nil || string(live.GetUID()) == p.UID {
		return "", err
	}
	return stays(ch.Object, staysOther), nil
}

// isFound reports whether an object that is there was there before Sluice.
func (e era) isFound(live *unstructured.Unstructured) bool {
	return live != nil && !e.isOurs(templates.ID(live), live) && !e.isLeft(live)
}

// isLeft reports whether an object was made by a Sluice that kept no pre-images.
func (e era) isLeft(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(e.writes, func(w ledger.Write) bool {
		return w.Object == templates.ID(live) && w.Created && w.UID == string(live.GetUID())
	})
}
