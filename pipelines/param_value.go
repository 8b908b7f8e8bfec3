package pipelines

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines/rule"
)

// BindParams gives every param of a pipeline its value: the one that is given as text, as on a command line, or its
// default. The values are of the Go types that ParamValue names, sorted by name. The error lists every param that is
// not known, missing, or not of its type.
func BindParams(p *Pipeline, given map[string]string) ([]ParamValue, error) {
	var failed []error
	var names []string
	values := make([]ParamValue, 0, len(p.Spec.Params))
	for _, param := range p.Spec.Params {
		names = append(names, param.Name)
		text, ok := given[param.Name]
		if !ok {
			if param.required() {
				failed = append(failed, fmt.Errorf("param %s of pipeline %s is missing: it has no default%s",
					param.Name, p.Metadata.Name, param.ofSomeKeys()))
				continue
			}
			values = append(values, ParamValue{param.Name, param.Default})
			continue
		}
		value, err := param.Type.parse(text)
		if err == nil {
			value, err = param.fill(value)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("param %s of pipeline %s %w", param.Name, p.Metadata.Name, err))
			continue
		}
		values = append(values, ParamValue{param.Name, value})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			failed = append(failed, fmt.Errorf("pipeline %s has no param %s%s", p.Metadata.Name, name, rule.Suggest(name, names)))
		}
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	sortParams(values)
	return values, nil
}

func sortParams(values []ParamValue) {
	slices.SortFunc(values, func(a, b ParamValue) int { return cmp.Compare(a.Name, b.Name) })
}

// parse reads a value from plain text.
func (t ParamType) parse(text string) (any, error) {
	switch t {
	case TypeInt:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
	case TypeDouble:
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return t.convert(n)
		}
	case TypeBool:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
	case TypeArray, TypeObject:
		return t.parseParts(text)
	default:
		return t.convert(text)
	}
	return nil, t.mismatch(strconv.Quote(text))
}

// Convert makes a value that a program has yielded one of the type: a value that has it, or a text that people would write it as.
func (t ParamType) Convert(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return t.parse(v)
	case float64: // JSON has one kind of number
		if t == TypeInt && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	}
	return t.convert(value)
}

// convert makes a value that was decoded from YAML or JSON one of the param's type.
func (t ParamType) convert(value any) (any, error) {
	switch t {
	case TypeArray:
		return orNil(array(value))
	case TypeObject:
		return orNil(object(value))
	}
	switch v := value.(type) {
	case string:
		if t == TypeString || t == "" {
			if len(v) > maxText {
				return nil, fmt.Errorf("is longer than %d bytes", maxText)
			}
			return v, nil
		}
		if t == TypeDuration {
			d, err := ParseDuration(v)
			if err != nil {
				return nil, fmt.Errorf("must be a duration: %w", err)
			}
			return d.Std(), nil
		}
	case int64:
		if t == TypeInt {
			return v, nil
		}
		if t == TypeDouble {
			return float64(v), nil
		}
	case float64:
		if t == TypeDouble && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v, nil
		}
	case bool:
		if t == TypeBool {
			return v, nil
		}
	case time.Duration:
		if t == TypeDuration {
			return v, nil
		}
	}
	return nil, t.mismatch(said(value))
}

// orNil is a value, or an error and none.
func orNil[V any](value V, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

// said is a value as a message quotes it.
func said(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []string, []any:
		return "a list"
	case map[string]string, map[string]any:
		return "a mapping"
	}
	return fmt.Sprint(value)
}

func (t ParamType) mismatch(value string) error {
	if t == "" {
		t = TypeString
	}
	return fmt.Errorf("must be of type %s, not %s", t, value)
}

// typeOf is the type of a value that was converted.
func typeOf(value any) ParamType {
	switch value.(type) {
	case int64:
		return TypeInt
	case float64:
		return TypeDouble
	case bool:
		return TypeBool
	case time.Duration:
		return TypeDuration
	case []string:
		return TypeArray
	case map[string]string:
		return TypeObject
	}
	return TypeString
}

// Text is the value as people write it; an array or object is JSON.
func (v ParamValue) Text() string {
	switch v.Value.(type) {
	case []string, map[string]string:
		raw, _ := json.Marshal(v.Value) // texts can always be written
		return string(raw)
	}
	return fmt.Sprint(written(v.Value))
}

// Type is the type of the value.
func (v ParamValue) Type() ParamType { return typeOf(v.Value) }

// written is the value as JSON and YAML write it.
func written(value any) any {
	if d, ok := value.(time.Duration); ok {
		return Duration(d).String()
	}
	return value
}

// typedValue is how a param's value travels: with its type, since JSON has one kind of number only.
type typedValue struct {
	Name  string          `json:"name"`
	Type  ParamType       `json:"type,omitempty"`
	Value json.RawMessage `json:"value"`
}

// MarshalJSON writes the value beside its type.
func (v ParamValue) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(written(v.Value))
	if err != nil {
		return nil, fmt.Errorf("cannot write param %s: %w", v.Name, err)
	}
	return json.Marshal(typedValue{v.Name, v.Type(), raw})
}

// UnmarshalJSON reads what MarshalJSON writes, to the same Go type. Without a type, a number is an int64 where it is
// written as a whole one.
func (v *ParamValue) UnmarshalJSON(data []byte) error {
	var typed typedValue
	if err := json.Unmarshal(data, &typed); err != nil {
		return fmt.Errorf("cannot read param: %w", err)
	}
	value, err := decodeJSON(typed.Value)
	if err == nil {
		value, err = cmp.Or(typed.Type, looksLike(value)).convert(value)
	}
	if err != nil {
		return fmt.Errorf("cannot read param %s: it %w", typed.Name, err)
	}
	v.Name, v.Value = typed.Name, value
	return nil
}

// looksLike is the type of a value that was decoded and says none.
func looksLike(value any) ParamType {
	switch value.(type) {
	case []any:
		return TypeArray
	case map[string]any:
		return TypeObject
	}
	return typeOf(value)
}

func decodeJSON(raw json.RawMessage) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("is no value: %w", err)
	}
	number, ok := value.(json.Number)
	if !ok {
		return value, nil // numbers in lists and objects stay as they are written
	}
	if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
		return n, nil
	}
	n, err := number.Float64()
	if err != nil {
		return nil, fmt.Errorf("is no number: %w", err)
	}
	return n, nil
}

// plainParam is Param without its methods.
type plainParam Param

// MarshalJSON writes a default duration as people do.
func (p Param) MarshalJSON() ([]byte, error) {
	p.Default = written(p.Default)
	return json.Marshal(plainParam(p))
}

// UnmarshalJSON gives the default the Go type that goes with the param's.
func (p *Param) UnmarshalJSON(data []byte) error {
	raw := struct {
		*plainParam
		Default json.RawMessage `json:"default"`
	}{plainParam: (*plainParam)(p)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("cannot read param: %w", err)
	}
	p.Default = nil
	if len(raw.Default) == 0 || string(raw.Default) == "null" {
		return nil
	}
	value, err := decodeJSON(raw.Default)
	if err == nil {
		value, err = p.Type.convert(value)
	}
	if err != nil {
		return fmt.Errorf("cannot read param %s: its default %w", p.Name, err)
	}
	p.Default = value
	return nil
}
