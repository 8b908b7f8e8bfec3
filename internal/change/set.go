package change

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/templates"
)

// Set is what one run is to write in one cluster, in order. It is kept as a blob, so that a retry writes what was decided and
// nothing else. Sets of runs that are open were stored by earlier versions: the names in its JSON never change.
type Set struct {
	Objects []Object `json:"objects"`
	Target  string   `json:"target"`         // digest of what will run
	Version string   `json:"version"`        // of the component
	Left    []string `json:"left,omitempty"` // digest-named objects that earlier versions left behind
	Written string   `json:"written"`        // blob digest of all target objects: the recorded spec once it has ended well
}

// Object is one object of a set.
type Object struct {
	Name           string              `json:"object"` // Kind/namespace/name
	Phase          templates.PhaseName `json:"phase"`
	Action         patch.Action        `json:"action"`
	Patch          []byte              `json:"patch,omitempty"`
	PatchType      types.PatchType     `json:"patchType,omitempty"`
	LiveVersion    string              `json:"liveVersion,omitempty"`
	LiveGeneration int64               `json:"liveGeneration,omitempty"`
	Rendered       map[string]any      `json:"target"`
	Recorded       map[string]any      `json:"wayBack,omitempty"`
	Seen           map[string]any      `json:"live,omitempty"`   // of a workload
	Held           bool                `json:"held,omitempty"`   // an earlier run left its hold on this workload
	Found          bool                `json:"found,omitempty"`  // on the way back: the target is what was found, in what was written of it
	Behind         []string            `json:"behind,omitempty"` // nodes that were dead when the unit began
}

// Target is the object as it should be.
func (o Object) Target() *unstructured.Unstructured { return object(o.Rendered) }

// WayBack is the object as it was recorded before; nil where it was not.
func (o Object) WayBack() *unstructured.Unstructured { return object(o.Recorded) }

// Live is a workload as it was seen; nil where it was not there.
func (o Object) Live() *unstructured.Unstructured { return object(o.Seen) }

func object(fields map[string]any) *unstructured.Unstructured {
	if fields == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: fields}
}

// Moves reports whether a workload has to be moved: its spec changes, or an earlier run left it half-way.
func (o Object) Moves() bool {
	return o.Phase == templates.Workloads && (o.Action != patch.Unchanged || o.Held)
}

// spec is what a driver needs to know of a workload.
func (o Object) spec(p Part) workload.Spec {
	return workload.Spec{
		Run: p.Run, Fence: p.Fence, Target: o.Target(), WayBack: o.WayBack(),
		Patch: o.Patch, PatchType: o.PatchType, LiveVersion: o.LiveVersion, LiveGeneration: o.LiveGeneration,
		Behind: o.Behind, Living: p.Back,
	}
}

// Object finds an object by its name.
func (s Set) Object(name string) (Object, error) {
	for _, o := range s.Objects {
		if o.Name == name {
			return o, nil
		}
	}
	return Object{}, fault.New(fault.Internal, "cannot find %s in the change set", name)
}

// Writes reports whether a part has anything to write in a phase. On the way back it always may: what was made is taken away.
func (s Set) Writes(phase templates.PhaseName, p Part) bool {
	return slices.ContainsFunc(s.Objects, func(o Object) bool { return p.Back || o.Action != patch.Unchanged && o.Phase == phase })
}

// inTurn lists the objects that are written in a phase, in order. On the way back what could refuse the others, and is there
// still, goes before all of them.
func (s Set) inTurn(phase templates.PhaseName, p Part) []Object {
	var ahead, others []Object
	for _, o := range s.Objects {
		switch isAhead := p.Back && o.Action == patch.Patch && turnOf(o.Target()) == first; {
		case o.Action == patch.Unchanged:
		case isAhead && phase == templates.Before:
			ahead = append(ahead, o)
		case !isAhead && o.Phase == phase:
			others = append(others, o)
		}
	}
	return append(ahead, others...)
}

func (s Set) find(o *unstructured.Unstructured, is func(Object) bool) bool {
	return slices.ContainsFunc(s.Objects, func(c Object) bool { return templates.ID(c.Target()) == templates.ID(o) && is(c) })
}

// has reports whether the set brings an object.
func (s Set) has(o *unstructured.Unstructured) bool {
	return s.find(o, func(Object) bool { return true })
}

// moves reports whether the unit itself moves a workload.
func (s Set) moves(o *unstructured.Unstructured) bool {
	return s.find(o, func(c Object) bool { return c.Phase == templates.Workloads })
}

// records reports whether a deployment says what an object goes back to: then that counts and not its pre-image.
func (s Set) records(o *unstructured.Unstructured, p Part) bool {
	return s.find(o, func(c Object) bool { return !c.Found && (p.Back || c.Recorded != nil) })
}
