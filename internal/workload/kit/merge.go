package kit

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
)

// patched is what a patch of either type would make of an object.
func patched(live *unstructured.Unstructured, kind types.PatchType, patch []byte, schema any) (*unstructured.Unstructured, error) {
	if len(patch) == 0 {
		return live.DeepCopy(), nil
	}
	text, err := live.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cannot apply the patch: %w", err)
	}
	var merged []byte
	switch kind {
	case types.StrategicMergePatchType:
		merged, err = strategicpatch.StrategicMergePatch(text, patch, schema)
	case types.MergePatchType, "":
		merged, err = mergePatch(text, patch)
	default:
		return nil, fault.New(fault.Invalid, "cannot apply a patch of type %s to %s", kind, workload.NameOf(live))
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot apply the patch to %s", workload.NameOf(live))
	}
	result := &unstructured.Unstructured{}
	if err := result.UnmarshalJSON(merged); err != nil {
		return nil, fmt.Errorf("cannot apply the patch: %w", err)
	}
	return result, nil
}

// remade is live with what differs between two rendered shapes taken from the second: what recorded had said and rendered
// does not say is taken away. What both say alike stays as it is in live, since others may own it.
func remade(recorded, live, rendered *unstructured.Unstructured, schema any) (*unstructured.Unstructured, error) {
	if recorded == nil {
		recorded = live
	}
	var texts [2][]byte
	for i, object := range []*unstructured.Unstructured{recorded, rendered} {
		text, err := json.Marshal(declared(object))
		if err != nil {
			return nil, fmt.Errorf("cannot merge %s: %w", workload.NameOf(live), err)
		}
		texts[i] = text
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(texts[0], texts[1], schema)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot merge %s", workload.NameOf(live))
	}
	return patched(live, types.StrategicMergePatchType, patch, schema)
}

// enforced gives a template everything that a rendered one says, whoever had it otherwise.
func enforced(live, rendered map[string]any) (map[string]any, error) {
	lookup, err := strategicpatch.NewPatchMetaFromStruct(corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("cannot merge a pod template: %w", err)
	}
	wanted, err := json.Marshal(rendered)
	if err != nil {
		return nil, fmt.Errorf("cannot merge a pod template: %w", err)
	}
	have, err := json.Marshal(live)
	if err != nil {
		return nil, fmt.Errorf("cannot merge a pod template: %w", err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(wanted, wanted, have, lookup, true)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot merge a pod template")
	}
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "PodTemplate", "template": live}}
	wrapped, err := json.Marshal(map[string]any{"template": json.RawMessage(patch)})
	if err != nil {
		return nil, fmt.Errorf("cannot merge a pod template: %w", err)
	}
	merged, err := patched(object, types.StrategicMergePatchType, wrapped, corev1.PodTemplate{})
	if err != nil {
		return nil, err
	}
	template, _ := merged.Object["template"].(map[string]any)
	return template, nil
}

// declared is an object without what only the API server writes.
func declared(object *unstructured.Unstructured) map[string]any {
	copied := object.DeepCopy().Object
	delete(copied, "status")
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"} {
		unstructured.RemoveNestedField(copied, "metadata", field)
	}
	return copied
}

// restored merges an owner's strategy fields: as they were, with what changed between the recorded and the rendered shape.
func restored(recorded, rendered *unstructured.Unstructured, owner map[string]any, fields []string) (map[string]any, error) {
	before := map[string]any{}
	if recorded != nil {
		before = field.Pick(recorded, fields)
	}
	var texts [3][]byte
	for i, value := range []map[string]any{before, field.Pick(rendered, fields), owner} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("cannot restore the strategy of %s: %w", workload.NameOf(rendered), err)
		}
		texts[i] = text
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(texts[0], texts[1], texts[2])
	if err != nil {
		return nil, fmt.Errorf("cannot restore the strategy of %s: %w", workload.NameOf(rendered), err)
	}
	merged, err := mergePatch(texts[2], patch)
	if err != nil {
		return nil, fmt.Errorf("cannot restore the strategy of %s: %w", workload.NameOf(rendered), err)
	}
	result := map[string]any{}
	if err := json.Unmarshal(merged, &result); err != nil {
		return nil, fmt.Errorf("cannot restore the strategy of %s: %w", workload.NameOf(rendered), err)
	}
	return result, nil
}

// Restored merges the fields that the family holds: as their owner had them, with what changed between the recorded and the
// rendered shape. There may be no recorded one.
func (f Family) Restored(recorded, rendered *unstructured.Unstructured, owner map[string]any) (map[string]any, error) {
	fields, err := restored(recorded, rendered, owner, f.Holds)
	if err == nil && f.Tidy != nil {
		f.Tidy(fields)
	}
	return fields, err
}

// difference is the merge patch that makes one object the other, under the condition that nobody writes in between.
func difference(live, desired *unstructured.Unstructured) ([]byte, error) {
	from, err := json.Marshal(declared(live))
	if err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", workload.NameOf(live), err)
	}
	to, err := json.Marshal(declared(desired))
	if err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", workload.NameOf(live), err)
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(from, to, from)
	if err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", workload.NameOf(live), err)
	}
	if string(patch) == "{}" {
		return nil, nil
	}
	fields := map[string]any{}
	if err := json.Unmarshal(patch, &fields); err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", workload.NameOf(live), err)
	}
	metadata, _ := fields["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["resourceVersion"] = live.GetResourceVersion()
	fields["metadata"] = metadata
	return json.Marshal(fields)
}

// mergePatch applies a JSON merge patch (RFC 7386).
func mergePatch(document, patch []byte) ([]byte, error) {
	var to, from any
	if err := json.Unmarshal(document, &to); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &from); err != nil {
		return nil, err
	}
	return json.Marshal(mergeValue(to, from))
}

func mergeValue(to, from any) any {
	changes, ok := from.(map[string]any)
	if !ok {
		return from
	}
	fields, ok := to.(map[string]any)
	if !ok {
		fields = map[string]any{}
	}
	for key, value := range changes {
		if value == nil {
			delete(fields, key)
			continue
		}
		fields[key] = mergeValue(fields[key], value)
	}
	return fields
}
