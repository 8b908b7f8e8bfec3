package lint

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// typeWalk holds a value against a Go type of the client library, field by field.
type typeWalk struct {
	kind  string
	found []mismatch
}

func (w *typeWalk) value(path []string, t reflect.Type, value any) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		return
	}
	if readsItself(t) {
		w.read(path, t, value)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		if m, isMap := value.(map[string]any); isMap {
			w.fields(path, t, m)
			return
		}
		w.found = append(w.found, mismatched(path, "is %s, and a map is wanted", nature(value)))
	case reflect.Map:
		m, isMap := value.(map[string]any)
		if !isMap {
			w.found = append(w.found, mismatched(path, "is %s, and a map is wanted", nature(value)))
			return
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			w.value(append(path, key), t.Elem(), m[key])
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			w.read(path, t, value)
			return
		}
		l, isList := value.([]any)
		if !isList {
			w.found = append(w.found, mismatched(path, "is %s, and a list is wanted", nature(value)))
			return
		}
		for i, item := range l {
			w.value(append(path, strconv.Itoa(i)), t.Elem(), item)
		}
	default:
		w.read(path, t, value)
	}
}

func (w *typeWalk) fields(path []string, t reflect.Type, value map[string]any) {
	fields := fieldsOf(t)
	for _, key := range slices.Sorted(maps.Keys(value)) {
		here := append(path, key)
		if known := fields[key]; known != nil {
			w.value(here, known, value[key])
			continue
		}
		m := mismatched(here, "is no field of a %s%s", w.kind, rule.Suggest(key, slices.Sorted(maps.Keys(fields))))
		m.unknown = true
		w.found = append(w.found, m)
	}
}

// read lets the type itself read a value: a number, a text, a quantity.
func (w *typeWalk) read(path []string, t reflect.Type, value any) {
	body, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(body, reflect.New(t).Interface())
	}
	if err == nil {
		return
	}
	if wanted := plainly(t); wanted != "" {
		w.found = append(w.found, mismatched(path, "is %s, and %s is wanted", nature(value), wanted))
		return
	}
	w.found = append(w.found, mismatched(path, "is %s, which cannot be read as a %s: %v", body, strings.ToLower(t.Name()), err))
}

func plainly(t reflect.Type) string {
	if readsItself(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return ""
}

func readsItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// fieldsOf are the fields of a struct by their names in JSON, those of embedded ones among them.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			maps.Copy(fields, fieldsOf(f.Type))
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}
