package pipelines

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// namedText is a name in a text of a step that stands for a value: $(params.version), $(params.hosts[0]), $(unit.labels.tier).
var namedText = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_./-]*(?:\[(?:\*|[0-9]+)\])?)\)`)

// escapes are how a value is written where a text has a grammar of its own, by the tag expand of the field. Texts of CEL are not
// expanded at all: they read values as variables.
var escapes = map[string]func(string) string{
	"":       func(value string) string { return value },
	tagList:  func(value string) string { return value },
	"regexp": regexp.QuoteMeta,
}

// tagPromQL is the tag expand of a query: how a value is written in it depends on where it stands.
const tagPromQL = "promql"

// References are the names for which the texts of a step's kind have a place, sorted, each once. Those of which the items are
// arguments of their own are among Spreads.
func (k *StepKinds) References() []string {
	var names []string
	k.texts(func(text, tag string) (string, error) {
		if tag == tagList && spreadText.MatchString(text) {
			return text, nil
		}
		for _, found := range namedText.FindAllStringSubmatch(text, -1) {
			names = append(names, found[1])
		}
		return text, nil
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Expanded returns the step with the values of names in its texts. A name that value does not know is an error.
func (s ResolvedStep) Expanded(value func(name string) (any, bool)) (ResolvedStep, error) {
	copied := reflect.New(reflect.TypeFor[StepKinds]()).Elem()
	copied.Set(deepCopy(reflect.ValueOf(s.StepKinds)))
	s.StepKinds = copied.Interface().(StepKinds)
	lookup := func(name string) (string, error) {
		whole, part := partsOf(name)
		v, ok := value(whole)
		if !ok {
			return "", fmt.Errorf("cannot expand $(%s): it has no value here", name)
		}
		v, err := partOf(v, part)
		if err != nil {
			return "", fmt.Errorf("cannot expand $(%s): it %w", name, err)
		}
		return textOf(v), nil
	}
	put, err := s.spread(value)
	if err != nil {
		return s, err
	}
	err = s.texts(func(text, tag string) (string, error) {
		if tag == tagPromQL {
			return expandPromQL(text, lookup)
		}
		var missing error
		out := namedText.ReplaceAllStringFunc(text, func(match string) string {
			v, err := lookup(match[2 : len(match)-1])
			if err != nil {
				missing = err
			}
			return escapes[tag](v)
		})
		return out, missing
	})
	put()
	return s, err
}

// partsOf takes a name in a text apart: what has the value, and what is taken of it. Only params, and results of steps, have parts.
func partsOf(name string) (whole, part string) {
	prefix, rest, ok := strings.Cut(name, "params.")
	if !ok || prefix != "" {
		if prefix, rest, ok = strings.Cut(name, ".results."); !ok || !strings.HasPrefix(name, "steps.") {
			return name, ""
		}
		prefix += ".results."
	} else {
		prefix = "params."
	}
	if found := paramPath.FindStringSubmatch(rest); found != nil {
		return prefix + found[1], found[2]
	}
	return name, ""
}

// textOf is a value as a text has it.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Duration:
		return Duration(v).String()
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(v)
}

// texts hands every text of the kind that may be expanded to a function, with the tag expand of its field, and keeps what that
// returns.
func (k *StepKinds) texts(each func(text, tag string) (string, error)) error {
	return eachText(reflect.ValueOf(k).Elem(), "", each)
}

func eachText(v reflect.Value, tag string, each func(text, tag string) (string, error)) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeFor[*Gate]() {
			return nil
		}
		return eachText(v.Elem(), tag, each)
	case reflect.Struct:
		for f := range v.Type().Fields() {
			own := f.Tag.Get("expand")
			if own == "-" || !f.IsExported() || f.Type == reflect.TypeFor[Position]() {
				continue
			}
			if err := eachText(v.FieldByIndex(f.Index), own, each); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := eachText(v.Index(i), tag, each); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if v.Type().Elem().Kind() != reflect.String {
				continue
			}
			out, err := each(v.MapIndex(key).String(), tag)
			if err != nil {
				return err
			}
			v.SetMapIndex(key, reflect.ValueOf(out).Convert(v.Type().Elem()))
		}
	case reflect.Interface: // a scalar: only a text has a place for values, and stays one
		text, ok := v.Interface().(string)
		if !ok {
			return nil
		}
		out, err := each(text, tag)
		if err != nil {
			return err
		}
		if out != text {
			v.Set(reflect.ValueOf(out))
		}
	case reflect.String:
		if _, closed := v.Interface().(enum); closed {
			return nil
		}
		out, err := each(v.String(), tag)
		if err != nil {
			return err
		}
		if out != v.String() { // a field that is only read need not be settable
			v.SetString(out)
		}
	}
	return nil
}

// deepCopy copies what pointers, slices and maps of a step hold.
func deepCopy(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(deepCopy(v.Elem()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for f := range v.Type().Fields() {
			if f.IsExported() {
				out.FieldByIndex(f.Index).Set(deepCopy(v.FieldByIndex(f.Index)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, key := range v.MapKeys() {
			out.SetMapIndex(key, deepCopy(v.MapIndex(key)))
		}
		return out
	}
	return v
}
