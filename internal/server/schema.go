package server

import (
	"path"
	"reflect"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/pipelines"
)

// nameOf calls a type by its package too: plans of two packages are two things.
func nameOf(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		return hint
	}
	name, of, generic := strings.Cut(name, "[")
	if generic {
		name += upper(path.Base(strings.TrimSuffix(of, "]")))
	}
	name = upper(strings.ReplaceAll(name, ".", ""))
	if pkg := path.Base(t.PkgPath()); pkg != "." && pkg != "wire" && pkg != "server" {
		name = upper(pkg) + name
	}
	return name
}

func upper(name string) string {
	name = strings.ReplaceAll(name, ".", "")
	for i, r := range name {
		return string(unicode.ToUpper(r)) + name[i+len(string(r)):]
	}
	return name
}

// named says how types are written that write themselves.
func named(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[pipelines.Duration](), reflect.TypeFor[string]())
	for _, t := range []reflect.Type{
		reflect.TypeFor[pipelines.Amount](), reflect.TypeFor[pipelines.ParamValue](), reflect.TypeFor[pipelines.Param](),
	} {
		r.RegisterTypeAlias(t, reflect.TypeFor[any]())
	}
}
