package patch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// secret stands for a value that is never shown.
const secret = "***"

// maxShort is how long a value is shown; a longer one is cut, and told apart by a digest.
const maxShort = 200

// fieldDiff is a field whose value changes. Nil is absent.
type fieldDiff struct {
	path          pointer
	before, after any
}

// fieldWalk collects the fields in which two canonical objects differ, each at the deepest place that names it.
type fieldWalk struct {
	masked func(pointer) bool
	fields []fieldDiff
}

func (w *fieldWalk) maps(p pointer, m meta, before, after map[string]any) {
	for _, key := range unionKeys(before, after) {
		w.values(p.with(key), m.child(key), m.list(key), before[key], after[key])
	}
}

func (w *fieldWalk) values(p pointer, m meta, l list, before, after any) {
	if equal(before, after) {
		return
	}
	b, isMap := before.(map[string]any)
	a, isMapToo := after.(map[string]any)
	if isMap && isMapToo || isMap && after == nil && len(b) > 0 || isMapToo && before == nil && len(a) > 0 {
		w.maps(p, m, b, a)
		return
	}
	bl, isList := before.([]any)
	al, isListToo := after.([]any)
	if isList && isListToo && w.elements(p, l, bl, al) {
		return
	}
	w.fields = append(w.fields, fieldDiff{p, before, after})
}

// elements goes into lists whose elements have names; false where they have none.
func (w *fieldWalk) elements(p pointer, l list, before, after []any) bool {
	key := l.key
	if _, unique := byKey(before, key); !unique || key == "" {
		key = "name"
	}
	b, unique := byKey(before, key)
	a, uniqueToo := byKey(after, key)
	if !unique || !uniqueToo {
		return false
	}
	found := len(w.fields)
	for _, label := range unionKeys(b, a) {
		w.values(p.with(label), l.element, list{}, b[label], a[label])
	}
	if len(w.fields) == found {
		w.fields = append(w.fields, fieldDiff{p, order(before, key), order(after, key)})
	}
	return true
}

// order is what a list of named elements differs in when no element does.
func order(elements []any, key string) any {
	names := labels(elements, key)
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = name
	}
	return values
}

// maskOf says which fields of an object must not be shown.
func maskOf(object *unstructured.Unstructured) func(pointer) bool {
	if !isSecret(object) {
		return func(pointer) bool { return false }
	}
	return func(p pointer) bool { return len(p) > 0 && (p[0] == "data" || p[0] == "stringData") }
}

// short returns a value as JSON of bounded length, "" for none.
func short(value any, masked bool) string {
	if value == nil {
		return ""
	}
	if masked {
		return secret
	}
	text := compactJSON(value)
	if len(text) <= maxShort {
		return text
	}
	cut := text[:maxShort]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return cut + "... (sha256:" + sumOf(text)[:12] + ")"
}

func compactJSON(value any) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
