package cluster

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/templates"
)

// era is what the ledger knows of a component's objects in a cluster since the last deployment that was recorded there: how they
// were before, and what Sluice meant to make of them since, by whatever run.
type era struct {
	component string
	images    []ledger.PreImage
	writes    []ledger.Write
}

// eraOf loads the era of a run.
func (a *Activities) eraOf(ctx context.Context, ref step.Ref, run string) (era, error) {
	e := era{component: ref.Component}
	var err error
	if e.images, err = a.Ledger.ListPreImages(ctx, run, ref.Cluster, ref.Component); err != nil {
		return e, err
	}
	e.writes, err = a.Ledger.ListEraWrites(ctx, run, ref.Cluster, ref.Component)
	return e, err
}

// undone is the run whose writes a unit takes back: its own, or those of the run that it was started to take back.
func undone(ref step.Ref) string {
	if ref.Back {
		return ref.BackOf
	}
	return ref.Run
}

// image is the pre-image of an object with this UID; false where it was not found, or was given back since.
func (e era) image(id string, uid types.UID) (ledger.PreImage, bool) {
	i := slices.IndexFunc(e.images, func(p ledger.PreImage) bool { return p.Object == id && p.UID == string(uid) && p.TakenBack == "" })
	if i < 0 {
		return ledger.PreImage{}, false
	}
	return e.images[i], true
}

// latest is the pre-image of an object by that name that was taken last.
func (e era) latest(id string) (ledger.PreImage, bool) {
	for _, p := range slices.Backward(e.images) {
		if p.Object == id && p.TakenBack == "" {
			return p, true
		}
	}
	return ledger.PreImage{}, false
}

// made is the UID of the object of this name that Sluice made last; "" where it made none, or was killed before it knew.
func (e era) made(id string) types.UID {
	for _, w := range slices.Backward(e.writes) {
		if w.Object == id && w.Created && w.UID != "" {
			return types.UID(w.UID)
		}
	}
	return ""
}

// madeBy is the UID under which a run has made an object; "" where it has not, or was killed before it knew.
func (e era) madeBy(run, id string) types.UID {
	for _, w := range e.writes {
		if w.Run == run && w.Object == id && w.Created && w.UID != "" {
			return types.UID(w.UID)
		}
	}
	return ""
}

// isOurs reports whether an object is one that Sluice made where there was none. Where it was killed before it could write the
// UID down, that is the one of this name which carries the component.
func (e era) isOurs(id string, live *unstructured.Unstructured) bool {
	if _, absent := e.image(id, ""); !absent {
		return false
	}
	if _, found := e.image(id, live.GetUID()); found {
		return false
	}
	if uid := e.made(id); uid != "" {
		return uid == live.GetUID()
	}
	return live.GetAnnotations()[templates.ComponentAnnotation] == e.component
}

// givenBack reports whether an object has been given back what it had, and was not written since: it is nobody's of ours.
func (e era) givenBack(id string) bool {
	if _, open := e.latest(id); open {
		return false
	}
	return slices.ContainsFunc(e.images, func(p ledger.PreImage) bool { return p.Object == id })
}

// unseen reports whether an object was written by a Sluice that kept no pre-images: what is there is half our own.
func (e era) unseen(id string) bool {
	return !slices.ContainsFunc(e.images, func(p ledger.PreImage) bool { return p.Object == id }) &&
		slices.ContainsFunc(e.writes, func(w ledger.Write) bool { return w.Object == id })
}

// written are the objects as writes of this object meant to leave it, oldest first.
func (a *Activities) written(ctx context.Context, e era, id string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, w := range e.writes {
		if w.Object != id || w.Step == stepDelete || w.Step == stepRevert {
			continue
		}
		o, err := a.intended(ctx, w)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// tried reports whether Sluice meant to write an object in this era before.
func (e era) tried(id string) bool {
	return slices.ContainsFunc(e.writes, func(w ledger.Write) bool { return w.Object == id && w.Step != stepDelete })
}

// making is whether an object is of Sluice's own making.
type making struct {
	ours bool
	uid  types.UID // under which the run has made it already; "" where it has not
}

// before keeps how an object is before its first write in the era, nil where it is not there, and reports whether what will be
// there is of Sluice's own making. It has to come before the intent: a kill in between leaves a pre-image that is still true.
func (a *Activities) before(ctx context.Context, e era, ref step.Ref, o, live *unstructured.Unstructured) (m making, err error) {
	id := templates.ID(o)
	p := ledger.PreImage{Run: ref.Run, Cluster: ref.Cluster, Component: ref.Component, Object: id, At: time.Now().UTC()}
	switch {
	case live == nil:
		return making{true, e.madeBy(ref.Run, id)}, a.Ledger.SavePreImage(ctx, p)
	case e.isOurs(id, live):
		return making{true, e.madeBy(ref.Run, id)}, nil
	case e.unseen(id) && e.made(id) == live.GetUID():
		return making{true, live.GetUID()}, nil
	case e.unseen(id):
		return m, nil
	}
	if _, found := e.image(id, live.GetUID()); found {
		return m, nil
	}
	return m, a.keep(ctx, p, live)
}

// keep stores an object that was found as its pre-image.
func (a *Activities) keep(ctx context.Context, p ledger.PreImage, live *unstructured.Unstructured) error {
	owned, err := drivers.Owned(live)
	if err != nil {
		return err
	}
	unstructured.RemoveNestedField(owned.Object, "status")
	owned.SetManagedFields(nil)
	p.UID = string(live.GetUID())
	if p.Image, err = a.putJSON(ctx, owned.Object); err != nil {
		return err
	}
	return a.Ledger.SavePreImage(ctx, p)
}

// imageOf reads a pre-image.
func (a *Activities) imageOf(ctx context.Context, p ledger.PreImage) (*unstructured.Unstructured, error) {
	data, err := a.Ledger.Blob(ctx, p.Image)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	return o, fault.Wrap(fault.Internal, o.UnmarshalJSON(data), "cannot read pre-image %s", p.Image)
}

// get reads the object of this kind and name; nil where there is none.
func get(ctx context.Context, c kube.Reader, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live, err := c.Get(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return live, err
}
