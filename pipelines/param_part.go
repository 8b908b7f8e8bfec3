package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// maxParts is how many items an array has at most, and an object keys. All of it is no longer than a text.
const maxParts = 256

// Property is a key of a param or result of type object. Its value is a text.
type Property struct {
	Type PropertyType `json:"type,omitempty"` // default string
}

// PropertyType is the type of a key's value.
type PropertyType string

func (PropertyType) values() []string { return []string{string(TypeString)} }

// partPattern is what a reference takes of a value: all of it, as it is; all items of it; one item; or what stands under a key.
const partPattern = `(\[\*\]|\[[0-9]{1,4}\]|\.[A-Za-z_][A-Za-z0-9_]*)?`

// allItems is the part that is all of an array or object.
const allItems = "[*]"

var (
	// paramPath is the name of a param and what is taken of it, as texts have them behind "params.".
	paramPath = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)` + partPattern + `$`)
	// passing is the text by which a check passes a param of its pipeline on to a task.
	passing = regexp.MustCompile(`^\$\(params\.([A-Za-z_][A-Za-z0-9_]*)` + partPattern + `\)$`)
)

// paramPart is a param, and what is taken of it.
type paramPart struct {
	name, part string
}

// passed is the pipeline's param that the value stands for.
func passed(value any) (p paramPart, ok bool) {
	text, ok := value.(string)
	if !ok {
		return p, false
	}
	found := passing.FindStringSubmatch(text)
	if found == nil {
		return p, false
	}
	return paramPart{found[1], found[2]}, true
}

// of is what the part is of the value of its param, nil where that has none.
func (p paramPart) of(values []ParamValue) (any, error) {
	value := valueOf(p.name, values)
	if value == nil {
		return nil, nil
	}
	value, err := partOf(value, p.part)
	if err != nil {
		return nil, fmt.Errorf("param %s of the pipeline %w", p.name, err)
	}
	return value, nil
}

// partOf is what a reference takes of a value.
func partOf(value any, part string) (any, error) {
	if part == "" {
		return value, nil
	}
	if t := looksLike(value); t == TypeArray || t == TypeObject { // JSON had it in between
		var err error
		if value, err = t.convert(value); err != nil {
			return nil, err
		}
	}
	switch v := value.(type) {
	case []string:
		if part == allItems {
			return v, nil
		}
		n, err := strconv.Atoi(strings.Trim(part, "[]"))
		switch {
		case err != nil:
		case n >= len(v):
			return nil, fmt.Errorf("has no item %s, it has %d", part, len(v))
		default:
			return v[n], nil
		}
	case map[string]string:
		if part == allItems {
			return v, nil
		}
		key, isKey := strings.CutPrefix(part, ".")
		item, ok := v[key]
		switch {
		case !isKey:
		case !ok:
			return nil, fmt.Errorf("has no key %s%s", key, rule.Suggest(key, sortedKeys(v)))
		default:
			return item, nil
		}
	}
	return nil, fmt.Errorf("is of type %s, of which %s takes nothing", typeOf(value), part)
}

// part is the type of what a reference takes of a value of the type, whose keys are those of properties; or why it takes nothing.
func (t ParamType) part(part string, properties map[string]Property) (ParamType, string) {
	whole := t == TypeArray || t == TypeObject
	key, isKey := strings.CutPrefix(part, ".")
	_, known := properties[key]
	switch {
	case part == "", part == allItems && whole:
		return t, ""
	case part != allItems && !isKey && t == TypeArray:
		return TypeString, ""
	case isKey && t == TypeObject && !known:
		return TypeString, fmt.Sprintf("has no key %s%s", key, rule.Suggest(key, sortedKeys(properties)))
	case isKey && t == TypeObject:
		return TypeString, ""
	}
	return t, fmt.Sprintf("is of type %s, of which %s takes nothing", t, part)
}

// sortedKeys are the keys of a map in an order that is always the same.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// array makes an array of what was decoded. What is no text in it becomes one.
func array(value any) ([]string, error) {
	var out []string
	switch v := value.(type) {
	case []string:
		out = v
	case []any:
		out = make([]string, 0, len(v))
		for _, item := range v {
			text, err := itemText(item)
			if err != nil {
				return nil, err
			}
			out = append(out, text)
		}
	default:
		return nil, TypeArray.mismatch(said(value))
	}
	if out == nil {
		out = []string{}
	}
	return out, bounded(len(out), slices.Values(out))
}

// object makes an object of what was decoded. What is no text in it becomes one.
func object(value any) (map[string]string, error) {
	var out map[string]string
	switch v := value.(type) {
	case map[string]string:
		out = v
	case map[string]any:
		out = make(map[string]string, len(v))
		for _, key := range sortedKeys(v) {
			text, err := itemText(v[key])
			if err != nil {
				return nil, err
			}
			out[key] = text
		}
	default:
		return nil, TypeObject.mismatch(said(value))
	}
	return out, bounded(len(out), func(yield func(string) bool) {
		for _, key := range sortedKeys(out) {
			if !yield(key + out[key]) {
				return
			}
		}
	})
}

func itemText(item any) (string, error) {
	switch v := item.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case int64, bool:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", fmt.Errorf("must hold texts, not %v", item)
}

// bounded holds an array or object to what a value may take.
func bounded(items int, texts func(func(string) bool)) error {
	if items > maxParts {
		return fmt.Errorf("has %d items, at most %d are allowed", items, maxParts)
	}
	size := 0
	for text := range texts {
		size += len(text)
	}
	if size > maxText {
		return fmt.Errorf("is longer than %d bytes", maxText)
	}
	return nil
}

// parseParts reads an array or object from plain text: JSON, or a,b,c, or key=value,key=value.
func (t ParamType) parseParts(text string) (any, error) {
	if opens := map[ParamType]string{TypeArray: "[", TypeObject: "{"}[t]; strings.HasPrefix(strings.TrimSpace(text), opens) {
		value, err := decodeJSON(json.RawMessage(text))
		if err != nil {
			return nil, err
		}
		return t.convert(value)
	}
	var items []string
	if text != "" {
		items = strings.Split(text, ",")
	}
	if t == TypeArray {
		return t.convert(items)
	}
	keyed := map[string]string{}
	for _, item := range items {
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("must be of type %s, such as key=value,key=value or JSON, not %q", t, text)
		}
		keyed[strings.TrimSpace(key)] = value
	}
	return t.convert(keyed)
}

// fill makes a value that is given one of the param: of its type, and with all keys of an object, those of the default among them.
func (p *Param) fill(value any) (any, error) {
	typed, err := p.Type.convert(value)
	if err != nil {
		return nil, err
	}
	given, ok := typed.(map[string]string)
	if !ok {
		return typed, nil
	}
	all := map[string]string{}
	if own, ok := p.Default.(map[string]string); ok {
		maps.Copy(all, own)
	}
	maps.Copy(all, given)
	if missing := lacking(p.Properties, all); len(missing) > 0 {
		return nil, fmt.Errorf("has no key %s", strings.Join(missing, ", "))
	}
	return all, nil
}

// required reports whether the param has to be given: it has no default, or one without all of its keys.
func (p *Param) required() bool { return p.Default == nil || p.ofSomeKeys() != "" }

// ofSomeKeys says which keys of an object its default leaves out; "" where it leaves out none.
func (p *Param) ofSomeKeys() string {
	own, ok := p.Default.(map[string]string)
	if missing := lacking(p.Properties, own); ok && len(missing) > 0 {
		return " of " + strings.Join(missing, ", ")
	}
	return ""
}

// lacking are the keys of properties that an object has not.
func lacking[V any](properties map[string]Property, has map[string]V) (missing []string) {
	for _, key := range sortedKeys(properties) {
		if _, ok := has[key]; !ok {
			missing = append(missing, key)
		}
	}
	return missing
}
