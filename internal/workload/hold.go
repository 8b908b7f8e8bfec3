package workload

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload/field"
)

// Hold is what HeldAnnotation says: which run holds a workload, how far it has come, and what its owner had said.
type Hold struct {
	Run      string `json:"run"`
	Fence    int64  `json:"fence"`
	Armed    bool   `json:"armed"`              // pods that are made anew may get the target's template
	Back     bool   `json:"back,omitempty"`     // the template is the way back's
	Retreats bool   `json:"retreats,omitempty"` // the template is that of before, since pods go back to it by themselves
	Created  bool   `json:"created,omitempty"`  // the run created the workload
	Previous string `json:"previous,omitempty"` // revision of the pods before the run, as they carry it
	Before   string `json:"before,omitempty"`   // digest of that revision's template
	// Target and Template are the target's revision and the digest of its template, kept while it is not the workload's.
	Target   string `json:"target,omitempty"`
	Template string `json:"template,omitempty"`
	// Told is the update strategy that the driver wrote last, where it matters that nobody else changes it.
	Told any `json:"told,omitempty"`
	// Owner has the fields of the spec that the driver writes, as the owner had them; what is not in it was unset.
	Owner map[string]any `json:"owner"`
}

// HoldOf returns who holds a workload; nil where nobody does.
func HoldOf(object *unstructured.Unstructured) (*Hold, error) {
	text, ok := object.GetAnnotations()[HeldAnnotation]
	if !ok {
		return nil, nil
	}
	hold := &Hold{}
	if err := json.Unmarshal([]byte(text), hold); err != nil {
		return nil, fault.Wrap(fault.Conflict, err, "cannot read the annotation %s of %s", HeldAnnotation, NameOf(object))
	}
	return hold, nil
}

// By reports whether the hold is the very one that the spec's run has under its present fence. A run has a new fence for
// each of its units: what it left under an earlier one is left over like that of a closed run.
func (h *Hold) By(spec Spec) bool {
	return h.Run == spec.Run && h.Fence == spec.Fence
}

// Ours says whether the run of the spec may act under this hold, taking it over from a closed run where it has to.
func (h *Hold) Ours(spec Spec) error {
	if h.By(spec) || h.Fence < spec.Fence {
		return nil
	}
	return fault.New(fault.Conflict, "cannot move %s: run %s holds it", NameOf(spec.Target), h.Run)
}

// WriteTo puts the hold into an object, which it must not share with others.
func (h *Hold) WriteTo(object *unstructured.Unstructured) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot hold %s", NameOf(object))
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[HeldAnnotation] = string(text)
	object.SetAnnotations(annotations)
	return nil
}

// RemoveHold takes the hold out of an object.
func RemoveHold(object *unstructured.Unstructured) {
	annotations := object.GetAnnotations()
	delete(annotations, HeldAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	object.SetAnnotations(annotations)
}

// Owned is a held workload as its owner has it: without the hold, and with what he had said in a driver's own fields (Holds).
func (h *Hold) Owned(live *unstructured.Unstructured, pointers []string) *unstructured.Unstructured {
	out := live.DeepCopy()
	var fields []string
	for _, pointer := range pointers {
		fields = append(fields, strings.TrimPrefix(pointer, "/spec/"))
	}
	field.Put(out, fields, h.Owner)
	RemoveHold(out)
	return out
}

// NameOf is a workload's name as errors say it: Kind namespace/name.
func NameOf(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetKind() + " " + object.GetName()
	}
	return object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
}
