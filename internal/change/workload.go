package change

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/templates"
)

// Workload is a workload of a change set, with the shapes between which a driver moves it.
type Workload struct {
	Object
	Spec  workload.Spec
	found types.UID // of the one that was found; "" where a deployment says what it goes back to, or it was not there
}

// workloadOf says between which shapes a part moves a workload. Where no deployment says what it goes back to, it is its
// pre-image, in what the run writes of it, or out of the cluster where Sluice made it.
func workloadOf(ctx context.Context, records Past, p Part, o Object) (Workload, error) {
	w := Workload{Object: o, Spec: o.spec(p)}
	if w.Spec.WayBack != nil || p.Back {
		return w, nil
	}
	e, err := eraOf(ctx, records, p, p.Run)
	if err != nil {
		return w, err
	}
	id := templates.ID(o.Target())
	before, known := e.latest(id)
	switch {
	case !known:
		return w, nil // it was taken hold of by a Sluice that kept none
	case before.UID == "":
		w.Spec.Made = e.made(id)
		return w, nil
	}
	image, err := imageOf(ctx, records, before)
	if err != nil {
		return w, err
	}
	w.found = types.UID(before.UID)
	w.Spec.WayBack = patch.Earlier(o.Target(), image)
	return w, nil
}

// LoadWorkload reads a workload of a stored change set, and between which shapes a part moves it.
func LoadWorkload(ctx context.Context, records Past, p Part, changes, name string) (Workload, error) {
	var set Set
	if err := Load(ctx, records, changes, &set); err != nil {
		return Workload{}, err
	}
	o, err := set.Object(name)
	if err != nil {
		return Workload{}, fault.Wrap(fault.Internal, err, "cannot read change set %s", changes)
	}
	return workloadOf(ctx, records, p, o)
}

// Replaced says, before a workload goes back to a pre-image, why it stays: where it is another one by now than was found. ""
// where it goes back.
func (w Workload) Replaced(ctx context.Context, c Getter) (string, error) {
	if w.found == "" {
		return "", nil
	}
	live, err := get(ctx, c, w.Target())
	if err != nil || live == nil || live.GetUID() == w.found {
		return "", err
	}
	return kept(w.Name, staysOther).String(), nil
}

// Stays says why a workload is not back of which nobody knows what it was, and what it is now; "" where it is back.
func (w Workload) Stays(ctx context.Context, c Getter, seen rule.Facts) (string, error) {
	if w.Spec.WayBack != nil {
		return "", nil
	}
	live, err := get(ctx, c, w.Target())
	if err != nil || live == nil {
		return "", err
	}
	hold, err := workload.HoldOf(live)
	if err != nil || hold != nil && hold.Back || !workload.Carries(live, w.Target()) {
		return "", err
	}
	return kept(w.Name, fmt.Sprintf("its controller does not keep what it was before; %d of %d pods are at what this run wrote",
		seen.Workload.Updated, seen.Workload.Desired)).String(), nil
}

// Hold lets a driver take hold of a workload. How the workload was and what is meant is recorded before, what came of it after.
func (w Writer) Hold(ctx context.Context, o Object, take func(context.Context) (goal.State, error)) (state goal.State, err error) {
	e, err := eraOf(ctx, w.Records, w.Part, w.Part.Run)
	if err != nil {
		return state, err
	}
	live := o.Live() // the driver takes no hold of one whose spec has changed since
	if live == nil {
		if live, err = get(ctx, w.Cluster, o.Target()); err != nil {
			return state, err
		}
	}
	made, err := w.before(ctx, e, o.Target(), live)
	if err != nil {
		return state, err
	}
	meant, err := w.intend(ctx, stepPrepare, o.Target(), made)
	if err != nil {
		return state, err
	}
	if state, err = take(ctx); err != nil {
		return state, err
	}
	meant.UID, meant.ResourceVersion, meant.Created = state.UID, state.ResourceVersion, meant.Created || state.Created
	return state, w.Records.SaveWrite(ctx, meant)
}

// MeanBack records that a workload is about to be moved back, or taken away where the run made it.
func (w Writer) MeanBack(ctx context.Context, load Workload) error {
	left, how := load.Spec.WayBack, stepRevert
	if left == nil {
		left, how = load.Target(), stepDelete
	}
	return w.meanTo(ctx, how, left)
}

func (w Writer) meanTo(ctx context.Context, step string, o *unstructured.Unstructured) error {
	_, err := w.intend(ctx, step, o, making{})
	return err
}
