package patch

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

func crdVersionRemoved(c comparison) []string {
	if c.kind != crdKind || c.isNew() {
		return nil
	}
	after := byLabel(asList(at(c.after, "spec", "versions")), "name")
	var found []string
	for _, version := range asList(at(c.before, "spec", "versions")) {
		name := fmt.Sprint(at(version, "name"))
		switch now := after[name]; {
		case now == nil:
			found = append(found, fmt.Sprintf("version %s is taken away", name))
		case at(version, "served") == true && at(now, "served") != true:
			found = append(found, fmt.Sprintf("version %s is no longer served", name))
		}
	}
	for _, stored := range asList(at(c.live.Object, "status", "storedVersions")) {
		name := fmt.Sprint(stored)
		message := fmt.Sprintf("version %s is taken away", name)
		if after[name] == nil && !slices.Contains(found, message) {
			found = append(found, message)
		}
	}
	return found
}

func crdSchemaNarrowed(c comparison) []string {
	if c.kind != crdKind || c.isNew() {
		return nil
	}
	after := byLabel(asList(at(c.after, "spec", "versions")), "name")
	var found []string
	for _, version := range asList(at(c.before, "spec", "versions")) {
		name := fmt.Sprint(at(version, "name"))
		now := after[name]
		if now == nil {
			continue
		}
		was := asMap(at(version, "schema", "openAPIV3Schema"))
		is := asMap(at(now, "schema", "openAPIV3Schema"))
		for _, narrowing := range narrowed(pointer{}, was, is) {
			found = append(found, name+": "+narrowing)
		}
	}
	return found
}

const preserveUnknown = "x-kubernetes-preserve-unknown-fields"

// narrowed says where a schema takes less than it did. A field that it no longer has is pruned from what is stored.
func narrowed(p pointer, was, is map[string]any) []string {
	var found []string
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("%s %s", fieldName(p), fmt.Sprintf(format, args...)))
	}
	if was["type"] != is["type"] && is["type"] != nil {
		say("goes from %v to %v", was["type"], is["type"])
	}
	if was[preserveUnknown] == true && is[preserveUnknown] != true {
		say("no longer keeps unknown fields")
	}
	if was["nullable"] == true && is["nullable"] != true {
		say("may no longer be null")
	}
	for _, name := range asList(is["required"]) {
		if !slices.Contains(asList(was["required"]), name) {
			say("now requires %v", name)
		}
	}
	if values := asList(is["enum"]); len(values) > 0 {
		if was["enum"] == nil {
			say("now takes only listed values")
		}
		for _, value := range asList(was["enum"]) {
			if !slices.ContainsFunc(values, func(v any) bool { return equal(v, value) }) {
				say("no longer takes %v", value)
			}
		}
	}
	for _, key := range conditions {
		if is[key] != nil && !equal(is[key], was[key]) {
			say("has another %s", key)
		}
	}
	found = append(found, tightened(p, was, is)...)
	return append(found, narrowedBelow(p, was, is)...)
}

// conditions are what a value has to meet besides its type. Which of two is the stricter one cannot be told.
var conditions = []string{
	"allOf", "anyOf", "format", "multipleOf", "not", "oneOf", "pattern", "x-kubernetes-list-type", "x-kubernetes-validations",
}

func tightened(p pointer, was, is map[string]any) []string {
	var found []string
	for _, bound := range []struct {
		key   string
		upper bool
	}{
		{"maximum", true}, {"maxLength", true}, {"maxItems", true}, {"maxProperties", true},
		{"minimum", false}, {"minLength", false}, {"minItems", false}, {"minProperties", false},
	} {
		now, bounded := number(is[bound.key])
		before, wasBounded := number(was[bound.key])
		if bounded && (!wasBounded || bound.upper && now < before || !bound.upper && now > before) {
			found = append(found, fmt.Sprintf("%s has a tighter %s", fieldName(p), bound.key))
		}
	}
	return found
}

func narrowedBelow(p pointer, was, is map[string]any) []string {
	var found []string
	before, after := asMap(was["properties"]), asMap(is["properties"])
	for _, name := range unionKeys(before) {
		inner, kept := after[name]
		if !kept {
			if is[preserveUnknown] != true && is["additionalProperties"] == nil {
				found = append(found, fieldName(p.with(name))+" is taken away")
			}
			continue
		}
		found = append(found, narrowed(p.with(name), asMap(before[name]), asMap(inner))...)
	}
	for _, key := range []string{"items", "additionalProperties"} {
		inner, had := was[key].(map[string]any)
		if now, has := is[key].(map[string]any); had && has {
			found = append(found, narrowed(p.with("*"), inner, now)...)
		}
	}
	none := is["additionalProperties"] == nil || is["additionalProperties"] == false
	if was["additionalProperties"] != nil && none && is[preserveUnknown] != true {
		found = append(found, fieldName(p)+" no longer takes other keys")
	}
	return found
}

func fieldName(p pointer) string {
	if len(p) == 0 {
		return "the object"
	}
	return p.String()
}
