package patch

import (
	"encoding/json"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// merged is a patch and what it makes of the live object.
type merged struct {
	patch  []byte
	kind   types.PatchType
	result *unstructured.Unstructured
}

// merge is the three-way merge. Recorded may be nil; live and target are specs.
//
// Strategic merge loses elements where a merge key is not unique (one port by TCP and UDP). Where its result does not hold
// all that the target says, the merge is done here, with such lists replaced whole.
func (s shape) merge3(recorded, live, target *unstructured.Unstructured) (merged, error) {
	if !s.typed && !s.pods {
		return jsonMerge(recorded, live, target)
	}
	m, err := s.strategicMerge(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	holds, err := s.holds(m.result, target)
	if err != nil {
		return merged{}, err
	}
	if !holds {
		m.result = &unstructured.Unstructured{Object: mergeMaps(objectOf(recorded), live.Object, target.Object, s.merge)}
	}
	if holds && s.typed {
		return m, nil
	}
	// The API server refuses strategic patches of custom resources.
	return diffMerge(live, m.result)
}

func (s shape) strategicMerge(recorded, live, target *unstructured.Unstructured) (merged, error) {
	before, now, after, err := encodeAll(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(before, after, now, s.merge, true)
	if err != nil {
		return merged{}, err
	}
	data, err := strategicpatch.StrategicMergePatchUsingLookupPatchMeta(now, patch, s.merge)
	if err != nil {
		return merged{}, err
	}
	result, err := decode(data)
	return merged{patch: patch, kind: types.StrategicMergePatchType, result: result}, err
}

func jsonMerge(recorded, live, target *unstructured.Unstructured) (merged, error) {
	before, now, after, err := encodeAll(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, now)
	if err != nil {
		return merged{}, err
	}
	var changes map[string]any
	if err := utiljson.Unmarshal(patch, &changes); err != nil {
		return merged{}, err
	}
	result := live.DeepCopy()
	applyMergePatch(result.Object, changes)
	return merged{patch: patch, kind: types.MergePatchType, result: result}, nil
}

// diffMerge returns the JSON merge patch that makes live what result is.
func diffMerge(live, result *unstructured.Unstructured) (merged, error) {
	_, now, after, err := encodeAll(nil, live, result)
	if err != nil {
		return merged{}, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(now, after, now)
	return merged{patch: patch, kind: types.MergePatchType, result: result}, err
}

func (s shape) holds(result, target *unstructured.Unstructured) (bool, error) {
	have, err := s.canonical(result)
	if err != nil {
		return false, err
	}
	want, err := s.canonical(target)
	if err != nil {
		return false, err
	}
	return covers(want, have, s.merge), nil
}

// applyMergePatch is RFC 7386.
func applyMergePatch(into, patch map[string]any) {
	for key, value := range patch {
		if value == nil {
			delete(into, key)
			continue
		}
		changes, isMap := value.(map[string]any)
		if !isMap {
			into[key] = value
			continue
		}
		child, isMap := into[key].(map[string]any)
		if !isMap {
			child = map[string]any{}
			into[key] = child
		}
		applyMergePatch(child, changes)
	}
}

func mergeMaps(recorded, live, target map[string]any, m meta) map[string]any {
	out := runtime.DeepCopyJSON(live)
	for key := range recorded {
		if _, kept := target[key]; !kept {
			delete(out, key)
		}
	}
	for key, value := range target {
		switch v := value.(type) {
		case nil:
			delete(out, key)
		case map[string]any:
			out[key] = mergeMaps(asMap(recorded[key]), asMap(live[key]), v, m.child(key))
		case []any:
			out[key] = mergeLists(asList(recorded[key]), asList(live[key]), v, m.list(key))
		default:
			out[key] = value
		}
	}
	return out
}

func mergeLists(recorded, live, target []any, l list) []any {
	whole := runtime.DeepCopyJSONValue(target).([]any)
	if !l.merged || l.key == "" {
		return whole
	}
	before, _ := byKey(recorded, l.key)
	now, unique := byKey(live, l.key)
	after, uniqueToo := byKey(target, l.key)
	if !unique || !uniqueToo {
		return whole
	}
	out := make([]any, 0, len(target))
	for i, label := range labels(target, l.key) {
		out = append(out, mergeMaps(asMap(before[label]), asMap(now[label]), target[i].(map[string]any), l.element))
	}
	for i, label := range labels(live, l.key) {
		_, wanted := after[label]
		_, ours := before[label]
		if !wanted && !ours {
			out = append(out, runtime.DeepCopyJSONValue(live[i]))
		}
	}
	return slices.Clip(out)
}

func objectOf(object *unstructured.Unstructured) map[string]any {
	if object == nil {
		return nil
	}
	return object.Object
}

func encodeAll(recorded, live, target *unstructured.Unstructured) (before, now, after []byte, err error) {
	if recorded != nil {
		if before, err = json.Marshal(recorded.Object); err != nil {
			return nil, nil, nil, err
		}
	}
	if now, err = json.Marshal(live.Object); err != nil {
		return nil, nil, nil, err
	}
	after, err = json.Marshal(target.Object)
	return before, now, after, err
}

func decode(data []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	err := utiljson.Unmarshal(data, &object.Object)
	return object, err
}

// WithVersion returns a merge or strategic patch that the API server takes only while the object is at this
// resourceVersion.
func WithVersion(patch []byte, resourceVersion string) ([]byte, error) {
	var content map[string]any
	if err := utiljson.Unmarshal(patch, &content); err != nil {
		return nil, err
	}
	if content == nil {
		content = map[string]any{}
	}
	if err := unstructured.SetNestedField(content, resourceVersion, "metadata", "resourceVersion"); err != nil {
		return nil, err
	}
	return json.Marshal(content)
}
