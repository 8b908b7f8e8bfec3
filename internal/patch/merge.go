package patch

import (
	"encoding/json"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// merged is a patch, and the live spec with it.
type merged struct {
	patch  []byte
	kind   types.PatchType
	result map[string]any
}

// merge3 is the three-way merge of canonical specs. Recorded may be nil.
//
// Strategic merge loses elements where a merge key is not unique (one port by TCP and UDP). Where its result does not hold
// all that the target says, the merge is done here, with such lists replaced whole.
func (s shape) merge3(recorded, live, target map[string]any) (merged, error) {
	if !s.typed && !s.pods {
		return jsonMerge(recorded, live, target)
	}
	m, err := s.strategicMerge(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	result, err := s.canonical(&unstructured.Unstructured{Object: m.result}, target)
	if err != nil {
		return merged{}, err
	}
	holds := covers(target, result, s.merge)
	if holds && s.typed {
		return m, nil
	}
	if !holds {
		m.result = mergeMaps(recorded, live, target, s.merge)
	}
	// The API server refuses strategic patches of custom resources.
	return diffMerge(live, m.result)
}

func (s shape) strategicMerge(recorded, live, target map[string]any) (merged, error) {
	before, now, after, err := encodeAll(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(before, after, now, s.merge, true)
	if err != nil {
		return merged{}, err
	}
	m := merged{patch: patch, kind: types.StrategicMergePatchType}
	m.result, err = s.apply(m, live)
	return m, err
}

func jsonMerge(recorded, live, target map[string]any) (merged, error) {
	before, now, after, err := encodeAll(recorded, live, target)
	if err != nil {
		return merged{}, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, now)
	if err != nil {
		return merged{}, err
	}
	m := merged{patch: patch, kind: types.MergePatchType}
	m.result, err = shape{}.apply(m, live)
	return m, err
}

// diffMerge returns the JSON merge patch that makes live what result is.
func diffMerge(live, result map[string]any) (merged, error) {
	_, now, after, err := encodeAll(nil, live, result)
	if err != nil {
		return merged{}, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(now, after, now)
	return merged{patch: patch, kind: types.MergePatchType, result: result}, err
}

// apply returns what a patch makes of an object, which it does not change.
func (s shape) apply(m merged, object map[string]any) (map[string]any, error) {
	if m.kind == types.MergePatchType {
		var changes map[string]any
		if err := utiljson.Unmarshal(m.patch, &changes); err != nil {
			return nil, err
		}
		out := runtime.DeepCopyJSON(object)
		applyMergePatch(out, changes)
		return out, nil
	}
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if data, err = strategicpatch.StrategicMergePatchUsingLookupPatchMeta(data, m.patch, s.merge); err != nil {
		return nil, err
	}
	var out map[string]any
	err = utiljson.Unmarshal(data, &out)
	return out, err
}

// settle makes target and recorded, which it changes, say what live says of each list that is replaced whole and of each
// union, where nothing is to be changed in it: the render is as recorded, and live has it with defaults. Replacing it would
// be a change that changes nothing, at every plan.
func settle(recorded, live, target map[string]any, m meta) {
	for key, value := range target {
		l := m.list(key)
		switch t := value.(type) {
		case map[string]any:
			if m.retains(key) && covers(t, asMap(live[key]), m.child(key)) {
				settleWhole(recorded, live, target, key)
			}
			settle(asMap(recorded[key]), asMap(live[key]), t, m.child(key))
		case []any:
			switch now := asList(live[key]); {
			case l.merged:
				settleElements(asList(recorded[key]), now, t, l)
			case coversList(t, now, l):
				settleWhole(recorded, live, target, key)
			}
		}
	}
}

func settleElements(recorded, live, target []any, l list) {
	if l.key == "" {
		return
	}
	before, now := byLabel(recorded, l.key), byLabel(live, l.key)
	for i, label := range labels(target, l.key) {
		if element, isMap := target[i].(map[string]any); isMap {
			settle(asMap(before[label]), asMap(now[label]), element, l.element)
		}
	}
}

func settleWhole(recorded, live, target map[string]any, key string) {
	before, value := recorded[key], live[key]
	if isEmpty(value) || before != nil && !equal(before, target[key]) {
		return
	}
	target[key] = runtime.DeepCopyJSONValue(value)
	if before != nil {
		recorded[key] = runtime.DeepCopyJSONValue(value)
	}
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
	if out == nil {
		out = map[string]any{}
	}
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
			out[key] = mergeUnion(m.retains(key), asMap(recorded[key]), asMap(live[key]), v, m.child(key))
		case []any:
			out[key] = mergeLists(asList(recorded[key]), asList(live[key]), v, m.list(key))
		default:
			out[key] = value
		}
	}
	return out
}

func mergeUnion(retain bool, recorded, live, target map[string]any, m meta) map[string]any {
	out := mergeMaps(recorded, live, target, m)
	if retain {
		maps.DeleteFunc(out, func(key string, _ any) bool { return target[key] == nil })
	}
	return out
}

func mergeLists(recorded, live, target []any, l list) []any {
	whole := runtime.DeepCopyJSONValue(target).([]any)
	if !l.merged {
		return whole
	}
	if l.key == "" {
		return append(whole, slices.DeleteFunc(slices.Clone(live), func(theirs any) bool {
			return slices.Contains(target, theirs) || slices.Contains(recorded, theirs)
		})...)
	}
	before, _ := byKey(recorded, l.key)
	now, unique := byKey(live, l.key)
	after, uniqueToo := byKey(target, l.key)
	if !unique || !uniqueToo {
		return whole
	}
	out := make([]any, 0, len(target))
	for i, label := range labels(target, l.key) {
		out = append(out, mergeUnion(l.retain, asMap(before[label]), asMap(now[label]), target[i].(map[string]any), l.element))
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

func encodeAll(recorded, live, target map[string]any) (before, now, after []byte, err error) {
	if recorded != nil {
		if before, err = json.Marshal(recorded); err != nil {
			return nil, nil, nil, err
		}
	}
	if now, err = json.Marshal(live); err != nil {
		return nil, nil, nil, err
	}
	after, err = json.Marshal(target)
	return before, now, after, err
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
