package change

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/templates"
)

// era is what the records know of a component's objects in a cluster since the last deployment that was recorded there: how they
// were before, and what Sluice meant to make of them since, by whatever run.
type era struct {
	component string
	images    []ledger.PreImage
	writes    []ledger.Write
}

// eraOf loads the era of a run.
func eraOf(ctx context.Context, records Eras, p Part, run string) (era, error) {
	e := era{component: p.Subject.String()}
	var err error
	if e.images, err = records.ListPreImages(ctx, run, p.Cluster, p.Subject); err != nil {
		return e, err
	}
	e.writes, err = records.ListEraWrites(ctx, run, p.Cluster, p.Subject)
	return e, err
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

// isLeft reports whether an object was made by a Sluice that kept no pre-images.
func (e era) isLeft(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(e.writes, func(w ledger.Write) bool {
		return w.Object == templates.ID(live) && w.Created && w.UID == string(live.GetUID())
	})
}

// isFound reports whether an object that is there was there before Sluice.
func (e era) isFound(live *unstructured.Unstructured) bool {
	return live != nil && !e.isOurs(templates.ID(live), live) && !e.isLeft(live)
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

// tried reports whether Sluice meant to write an object in this era before.
func (e era) tried(id string) bool {
	return slices.ContainsFunc(e.writes, func(w ledger.Write) bool { return w.Object == id && w.Step != stepDelete })
}

// written are the objects as writes of this object meant to leave it, oldest first.
func (e era) written(ctx context.Context, blobs Blobs, id string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, w := range e.writes {
		if w.Object != id || w.Step == stepDelete || w.Step == stepRevert {
			continue
		}
		o, err := intended(ctx, blobs, w)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}
