package change

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/templates"
)

// making is whether an object is of Sluice's own making.
type making struct {
	ours bool
	uid  types.UID // under which the run has made it already; "" where it has not
}

// before keeps how an object is before its first write in the era, nil where it is not there, and reports whether what will be
// there is of Sluice's own making. It has to come before the intent: a kill in between leaves a pre-image that is still true.
func (w Writer) before(ctx context.Context, e era, o, live *unstructured.Unstructured) (m making, err error) {
	id := templates.ID(o)
	switch {
	case live == nil:
		return making{true, e.madeBy(w.Part.Run, id)}, w.Records.SavePreImage(ctx, w.image(id))
	case e.isOurs(id, live):
		return making{true, e.madeBy(w.Part.Run, id)}, nil
	case e.unseen(id) && e.made(id) == live.GetUID():
		return making{true, live.GetUID()}, nil
	case e.unseen(id):
		return m, nil
	}
	if _, found := e.image(id, live.GetUID()); found {
		return m, nil
	}
	return m, w.keep(ctx, id, live)
}

// image is the pre-image of an object that is not there.
func (w Writer) image(id string) ledger.PreImage {
	return ledger.PreImage{
		Run: w.Part.Run, Cluster: w.Part.Cluster, Subject: w.Part.Subject, Object: id, At: w.Clock.Now().UTC(),
	}
}

// keep stores an object that was found as its pre-image.
func (w Writer) keep(ctx context.Context, id string, live *unstructured.Unstructured) error {
	owned, err := drivers.Owned(live)
	if err != nil {
		return err
	}
	unstructured.RemoveNestedField(owned.Object, "status")
	owned.SetManagedFields(nil)
	p := w.image(id)
	p.UID = string(live.GetUID())
	if p.Image, err = Store(ctx, w.Records, owned.Object); err != nil {
		return err
	}
	return w.Records.SavePreImage(ctx, p)
}

// intend records what a write is meant to leave.
func (w Writer) intend(ctx context.Context, step string, o *unstructured.Unstructured, m making) (ledger.Write, error) {
	intent, err := Store(ctx, w.Records, o.Object)
	if err != nil {
		return ledger.Write{}, err
	}
	meant := ledger.Write{
		Run: w.Part.Run, Cluster: w.Part.Cluster, Subject: w.Part.Subject, Object: templates.ID(o), Step: step, Intent: intent,
		UID: string(m.uid), Created: m.ours, At: w.Clock.Now().UTC(),
	}
	return meant, w.Records.SaveWrite(ctx, meant)
}

// wrote records what a write left.
func (w Writer) wrote(ctx context.Context, meant ledger.Write, stored *unstructured.Unstructured) error {
	if stored != nil {
		meant.UID, meant.ResourceVersion = string(stored.GetUID()), stored.GetResourceVersion()
	}
	meant.At = w.Clock.Now().UTC()
	return w.Records.SaveWrite(ctx, meant)
}
