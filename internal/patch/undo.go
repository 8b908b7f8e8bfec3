package patch

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"sluice.dev/sluice/internal/api"
)

// Undo works out what takes back what our writes have changed in an object that was there before them. Found is the object as
// it was before the first of them, written are the objects as they meant to leave it, oldest first. Where they said what was
// so already, and in every field of which they said nothing, live stays as it is: others may have changed it since. Drift is
// not looked for, and of Options only Component, Ignore and Leave count. A Change with Refusals must not be sent.
func Undo(found, live *unstructured.Unstructured, written []*unstructured.Unstructured, o Options) (Change, error) {
	c := &computation{
		shape: shapeOf(live), target: live, options: Options{Component: o.Component, Ignore: o.Ignore, Leave: o.Leave},
		change: Change{Object: nameOf(live), Action: Unchanged, LiveVersion: live.GetResourceVersion(), Result: withoutStatus(live)},
	}
	before, err := c.shape.canonical(live, nil)
	if err != nil {
		return Change{}, c.unreadable("live object", err)
	}
	after := runtime.DeepCopyJSON(before)
	for _, w := range written {
		recorded, was := c.past(w, before), c.past(found, before)
		target := earlier(recorded, was, c.shape.merge)
		c.leaveLive(recorded, after, target)
		if after, err = c.shape.turn(recorded, after, target); err != nil {
			return Change{}, c.unreadable("what was found", err)
		}
	}
	if after, err = c.shape.canonical(&unstructured.Unstructured{Object: after}, before); err != nil {
		return Change{}, c.unreadable("what was found", err)
	}
	if equal(before, after) {
		return c.change, nil
	}
	m, err := diffMerge(before, after)
	if err != nil {
		return Change{}, c.unreadable("what was found", err)
	}
	c.change.Action, c.change.Patch, c.change.PatchType = Patch, m.patch, m.kind
	c.change.Result = &unstructured.Unstructured{Object: after}
	c.describe(nil, before, after)
	c.refuseUndo(live, before, after)
	return c.change, nil
}

// final are the rules that hold on the way back too: the API server would refuse, or it would not be ours to change.
var final = []api.Rule{
	api.RuleOwnedBy, api.RuleTerminating, api.RuleImmutableSelector, api.RuleImmutableField,
	api.RuleVolumeClaimTemplates, api.RuleVolumeShrinks, api.RuleClusterIP,
}

// Final returns the first refusal that holds on the way back as well.
func Final(refusals []api.Refusal) (api.Refusal, bool) {
	i := slices.IndexFunc(refusals, func(r api.Refusal) bool { return slices.Contains(final, r.Rule) })
	if i < 0 {
		return api.Refusal{}, false
	}
	return refusals[i], true
}

func (c *computation) refuseUndo(live *unstructured.Unstructured, before, after map[string]any) {
	if live.GetDeletionTimestamp() != nil {
		c.refuse(api.RuleTerminating, "it is being deleted")
	}
	if owner, _ := ownerOf(live, c.options.Component); owner != "" {
		c.refuse(api.RuleOwnedBy, owner+" keeps it")
	}
	c.refuseForbidden(live, before, after)
	c.change.Refusals = slices.DeleteFunc(c.change.Refusals, func(r api.Refusal) bool { return !slices.Contains(final, r.Rule) })
	c.settle()
}

// Earlier is what our write said, in the state of before it: each field that written says has the value that found has, and is
// absent where found has none. It is what a workload goes back to that was found.
func Earlier(written, found *unstructured.Unstructured) *unstructured.Unstructured {
	c := &computation{shape: shapeOf(written), target: written}
	out := &unstructured.Unstructured{Object: earlier(c.past(written, nil), c.past(found, nil), c.shape.merge)}
	out.SetAPIVersion(written.GetAPIVersion())
	out.SetKind(written.GetKind())
	out.SetNamespace(written.GetNamespace())
	out.SetName(written.GetName())
	return out
}

// turn brings live from recorded to target in what differs between the two.
func (s shape) turn(recorded, live, target map[string]any) (map[string]any, error) {
	if !s.typed && !s.pods {
		m, err := jsonMerge(recorded, recorded, target)
		if err != nil {
			return nil, err
		}
		return s.apply(m, live)
	}
	m, err := s.strategicMerge(recorded, recorded, target)
	if err != nil {
		return nil, err
	}
	there, err := s.canonical(&unstructured.Unstructured{Object: m.result}, target)
	if err != nil {
		return nil, err
	}
	if !covers(target, there, s.merge) {
		// Strategic merge loses elements where a merge key is not unique.
		return mergeMaps(recorded, live, target, s.merge), nil
	}
	return s.apply(m, live)
}

// earlier keeps of found what written says something of. A map of strings that found did not have is kept empty, so that
// only our own keys go from it; anything else that it did not have goes whole, with what was filled in since.
func earlier(written, found map[string]any, m meta) map[string]any {
	out := map[string]any{}
	for key, value := range written {
		was, there := found[key]
		switch v := value.(type) {
		case map[string]any:
			f, isMap := was.(map[string]any)
			switch {
			case isMap && !m.retains(key):
				out[key] = earlier(v, f, m.child(key))
			case there && was != nil:
				out[key] = runtime.DeepCopyJSONValue(was)
			case m.child(key).isOpen() || key == "labels" || key == "annotations":
				out[key] = map[string]any{}
			}
		case []any:
			if list := earlierList(v, was, m.list(key)); list != nil {
				out[key] = list
			}
		default:
			if there && was != nil {
				out[key] = runtime.DeepCopyJSONValue(was)
			}
		}
	}
	return out
}

// earlierList returns nil where found had no such list and all of it is ours.
func earlierList(written []any, found any, l list) any {
	was, isList := found.([]any)
	if !isList {
		if found != nil {
			return runtime.DeepCopyJSONValue(found)
		}
		if !l.merged {
			return nil
		}
	}
	if !l.merged {
		return runtime.DeepCopyJSONValue(was)
	}
	out := []any{}
	if l.key == "" {
		for _, value := range written {
			if slices.ContainsFunc(was, func(f any) bool { return equal(f, value) }) {
				out = append(out, value)
			}
		}
		return out
	}
	ours, unique := byKey(written, l.key)
	theirs, uniqueToo := byKey(was, l.key)
	if !unique || !uniqueToo {
		if was == nil {
			return nil
		}
		return runtime.DeepCopyJSONValue(was)
	}
	for i, label := range labels(was, l.key) {
		w, said := ours[label]
		switch {
		case !said:
		case l.retain:
			out = append(out, runtime.DeepCopyJSONValue(was[i]))
		default:
			out = append(out, earlier(asMap(w), asMap(theirs[label]), l.element))
		}
	}
	return out
}

// isOpen reports whether a place holds a map whose keys anybody may add: labels, data, a node selector.
func (m meta) isOpen() bool {
	known, isType := m.known.(strategicpatch.PatchMetaFromStruct)
	return isType && known.T.Kind() == reflect.Map
}
