package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/templates"
)

// changeSet is what one run is to write in one cluster, in order. It is kept as a blob, so that a retry writes what was
// decided and nothing else.
type changeSet struct {
	Objects []change `json:"objects"`
	Target  string   `json:"target"`         // digest of what will run
	Version string   `json:"version"`        // of the component
	Left    []string `json:"left,omitempty"` // digest-named objects that earlier versions left behind
	Written string   `json:"written"`        // blob digest of all target objects: the recorded spec once it has ended well
}

// change is one object of a change set. Target is the object as rendered, WayBack as it was recorded before.
type change struct {
	Object         string              `json:"object"` // Kind/namespace/name
	Phase          templates.PhaseName `json:"phase"`
	Action         patch.Action        `json:"action"`
	Patch          []byte              `json:"patch,omitempty"`
	PatchType      types.PatchType     `json:"patchType,omitempty"`
	LiveVersion    string              `json:"liveVersion,omitempty"`
	LiveGeneration int64               `json:"liveGeneration,omitempty"`
	Target         map[string]any      `json:"target"`
	WayBack        map[string]any      `json:"wayBack,omitempty"`
	Live           map[string]any      `json:"live,omitempty"`   // of a workload: as it was seen
	Held           bool                `json:"held,omitempty"`   // an earlier run left its hold on this workload
	Found          bool                `json:"found,omitempty"`  // on the way back: the target is what was found, in what was written of it
	Behind         []string            `json:"behind,omitempty"` // nodes that were dead when the unit began
}

func (c change) target() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: c.Target}
}

func (c change) wayBack() *unstructured.Unstructured {
	if c.WayBack == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: c.WayBack}
}

// live is a workload as it was seen; nil where it was not there.
func (c change) live() *unstructured.Unstructured {
	if c.Live == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: c.Live}
}

// moves reports whether a workload has to be moved: its spec changes, or an earlier run left it half-way.
func (c change) moves() bool {
	return c.Phase == templates.Workloads && (c.Action != patch.Unchanged || c.Held)
}

// spec is what a driver needs to know of a workload.
func (c change) spec(ref step.Ref) workload.Spec {
	return workload.Spec{
		Run: ref.Run, Fence: ref.Fence, Target: c.target(), WayBack: c.wayBack(),
		Patch: c.Patch, PatchType: c.PatchType, LiveVersion: c.LiveVersion, LiveGeneration: c.LiveGeneration,
		Behind: c.Behind, Living: ref.Back,
	}
}

func (a *Activities) changes(ctx context.Context, digest string) (changeSet, error) {
	var set changeSet
	return set, a.getJSON(ctx, digest, &set)
}

func (a *Activities) change(ctx context.Context, digest, object string) (change, error) {
	set, err := a.changes(ctx, digest)
	if err != nil {
		return change{}, err
	}
	for _, c := range set.Objects {
		if c.Object == object {
			return c, nil
		}
	}
	return change{}, fault.New(fault.Internal, "cannot find %s in change set %s", object, digest)
}

// byID finds objects of a set by their identity.
func byID(objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	out := make(map[string]*unstructured.Unstructured, len(objects))
	for _, o := range objects {
		out[templates.ID(o)] = o
	}
	return out
}
