package patch

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// pointer is a JSON pointer in segments. A segment that ends in "*" stands for every key that begins with what is before
// it. An element of a list is named by its merge key, its name, or its index.
type pointer []string

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)

func parsePointer(text string) pointer {
	if text == "" || text == "/" {
		return nil
	}
	segments := strings.Split(strings.TrimPrefix(text, "/"), "/")
	for i, segment := range segments {
		segments[i] = unescape.Replace(segment)
	}
	return segments
}

func (p pointer) String() string {
	var out strings.Builder
	for _, segment := range p {
		out.WriteByte('/')
		out.WriteString(escape.Replace(segment))
	}
	return out.String()
}

// with returns the pointer to a key below p. It never shares memory with another pointer.
func (p pointer) with(key string) pointer { return append(slices.Clip(slices.Clone(p)), key) }

func matches(segment, key string) bool {
	if prefix, isGlob := strings.CutSuffix(segment, "*"); isGlob {
		return strings.HasPrefix(key, prefix)
	}
	return segment == key
}

// keeper leaves fields as they are live, by making target and recorded say what live says.
type keeper struct {
	// unlessChanged lets through what the target says anew.
	unlessChanged bool
}

func (k keeper) keep(target, recorded, live map[string]any, m meta, p pointer) {
	for _, key := range unionKeys(target, recorded, live) {
		if len(p) == 0 || !matches(p[0], key) {
			continue
		}
		if len(p) == 1 {
			k.leaf(target, recorded, live, key)
			continue
		}
		switch child := target[key].(type) {
		case map[string]any:
			k.keep(child, asMap(recorded[key]), asMap(live[key]), m.child(key), p[1:])
		case []any:
			target[key] = k.elements(child, asList(recorded[key]), asList(live[key]), m.list(key), p[1:])
		}
	}
}

func (k keeper) leaf(target, recorded, live map[string]any, key string) {
	if k.unlessChanged && says(target[key]) && !equal(target[key], recorded[key]) {
		return
	}
	value, there := live[key]
	if !there {
		delete(target, key)
		delete(recorded, key)
		return
	}
	target[key] = runtime.DeepCopyJSONValue(value)
	if recorded != nil {
		recorded[key] = runtime.DeepCopyJSONValue(value)
	}
}

func (k keeper) elements(target, recorded, live []any, l list, p pointer) []any {
	recordedByLabel, liveByLabel := byLabel(recorded, l.key), byLabel(live, l.key)
	kept := make([]any, 0, len(target))
	for i, label := range labels(target, l.key) {
		named := matches(p[0], label) || p[0] == strconv.Itoa(i)
		value, there := liveByLabel[label]
		switch {
		case named && len(p) == 1 && !there:
			continue
		case named && len(p) == 1:
			kept = append(kept, runtime.DeepCopyJSONValue(value))
			continue
		case named && asMap(target[i]) != nil:
			k.keep(asMap(target[i]), asMap(recordedByLabel[label]), asMap(value), l.element, p[1:])
		}
		kept = append(kept, target[i])
	}
	return kept
}

// emptyBundle is a line feed in base64, which charts put where a bundle will be injected.
const emptyBundle = "Cg=="

func says(value any) bool { return value != nil && value != "" && value != emptyBundle }

func byLabel(elements []any, key string) map[string]any {
	found := make(map[string]any, len(elements))
	for i, label := range labels(elements, key) {
		found[label] = elements[i]
	}
	return found
}

func unionKeys(sets ...map[string]any) []string {
	all := map[string]bool{}
	for _, m := range sets {
		for key := range m {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

func asList(value any) []any {
	l, _ := value.([]any)
	return l
}

// WithoutFields returns a copy of an object without the fields that the JSON pointers name. Drivers take out what they
// hold themselves, such as a DaemonSet's /spec/updateStrategy.
func WithoutFields(object *unstructured.Unstructured, pointers ...string) *unstructured.Unstructured {
	if object == nil {
		return nil
	}
	out := object.DeepCopy()
	m := shapeOf(object).merge
	for _, text := range pointers {
		keeper{}.keep(out.Object, nil, nil, m, parsePointer(text))
	}
	return out
}
