package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// resolveParams gives every declared param its value, sorted by name, so that the order of declarations does not matter.
func resolveParams(declared []pipelines.Param, given []pipelines.ParamValue) ([]pipelines.ParamValue, error) {
	values := map[string]any{}
	for _, v := range given {
		if _, twice := values[v.Name]; twice {
			return nil, fault.New(fault.Invalid, "cannot set param %s: it is given twice", v.Name)
		}
		values[v.Name] = v.Value
	}
	var resolved []pipelines.ParamValue
	for _, p := range declared {
		value, said := values[p.Name]
		delete(values, p.Name)
		if !said {
			value = p.Default
		}
		if value == nil {
			return nil, fault.New(fault.Invalid, "cannot set param %s: it has no default and no value was given", p.Name)
		}
		value, err := typed(value, cmp.Or(p.Type, pipelines.TypeString))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot set param %s", p.Name)
		}
		resolved = append(resolved, pipelines.ParamValue{Name: p.Name, Value: value})
	}
	slices.SortFunc(resolved, func(a, b pipelines.ParamValue) int { return cmp.Compare(a.Name, b.Name) })
	for _, name := range sortedKeys(values) {
		return nil, fault.New(fault.Invalid, "cannot set param %s: the pipeline has no such param", name)
	}
	return resolved, nil
}

// typed returns a value as the type demands. The only conversion is from an int to a double, since 1 is how people write 1.0.
func typed(value any, want pipelines.ParamType) (any, error) {
	if whole, ok := value.(int64); ok && want == pipelines.TypeDouble {
		return float64(whole), nil
	}
	var ok bool
	switch want {
	case pipelines.TypeString:
		_, ok = value.(string)
	case pipelines.TypeInt:
		_, ok = value.(int64)
	case pipelines.TypeDouble:
		_, ok = value.(float64)
	case pipelines.TypeBool:
		_, ok = value.(bool)
	case pipelines.TypeDuration:
		_, ok = value.(time.Duration)
	case pipelines.TypeArray:
		_, ok = value.([]string)
	case pipelines.TypeObject:
		_, ok = value.(map[string]string)
	}
	if !ok {
		return nil, fmt.Errorf("%v is a %T, not a %s", value, value, want)
	}
	return value, nil
}
