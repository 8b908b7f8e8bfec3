package rule

import (
	"reflect"
	"strings"
)

// Value returns what a path of names stands for in the facts: "unit.cluster", "unit.labels.tier". It is false for what is not
// there, and for what is no text, number, bool or list of texts.
func (f *Facts) Value(path string) (any, bool) {
	names := strings.Split(path, ".")
	if len(names) < 2 {
		return nil, false
	}
	if names[0] == factUnit && names[1] == "labels" { // a label's key may have dots
		value, ok := f.Unit.Labels[strings.Join(names[2:], ".")]
		return value, ok
	}
	value, ok := (&activation{facts: *f}).resolve(names)
	if !ok || !printable(reflect.TypeOf(value)) {
		return nil, false
	}
	return value, true
}

// Unreadable says why a text cannot read a path of facts in a scope; "" where it can. Labels are not looked up.
func Unreadable(scope Scope, path string) string {
	names := strings.Split(path, ".")
	t := factType(names[0])
	switch {
	case t == nil:
		return "there is no fact " + names[0] + Suggest(names[0], append(scope.Facts(), "params"))
	case !scope.has(names[0]):
		return "there is no " + names[0] + " in the facts of a " + string(scope) + ": those are " + enumerate(scope.Facts())
	case len(names) < 2:
		return "it says which of " + names[0] + " is meant, such as $(" + names[0] + "." + fieldNames(t)[0] + ")"
	}
	found, ok := field(t, names[1])
	switch {
	case !ok:
		return names[0] + " has no " + names[1] + Suggest(names[1], fieldNames(t))
	case found.Type.Kind() == reflect.Map && len(names) > 2:
		return ""
	case len(names) > 2 || !printable(found.Type):
		return "it is no text or number"
	}
	return ""
}

func printable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int64, reflect.Float64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	}
	return false
}
