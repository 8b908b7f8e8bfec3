package pipelines

import (
	"fmt"
	"maps"
	"slices"
)

// withItems is an array or object that is written out, with the pipeline's params in the place of items that name them. An item that is
// $(params.ARRAY[*]) is all of its items. What a param holds is no text to look into once more.
func withItems(value any, pipeline []ParamValue) (any, error) {
	switch v := value.(type) {
	case []string:
		var out []string
		for _, item := range v {
			items, err := itemsOf(item, pipeline)
			if err != nil {
				return nil, err
			}
			out = append(out, items...)
		}
		return array(out)
	case map[string]string:
		out := maps.Clone(v)
		for key, item := range v {
			items, err := itemsOf(item, pipeline)
			if err != nil {
				return nil, err
			}
			if len(items) != 1 {
				return nil, fmt.Errorf("has %d texts under the key %s", len(items), key)
			}
			out[key] = items[0]
		}
		return object(out)
	}
	return value, nil
}

func itemsOf(item string, pipeline []ParamValue) ([]string, error) {
	from, ok := passed(item)
	if !ok {
		return []string{item}, nil
	}
	value, err := from.of(pipeline)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("names param %s of the pipeline, which has no value", from.name)
	}
	if all, ok := value.([]string); ok && from.part == allItems {
		return all, nil
	}
	return []string{ParamValue{Value: value}.Text()}, nil
}

// items checks the params that items of an array or object name.
func (l *linter) items(p *Pipeline, value any, at spot) {
	item := func(text string, spreads bool, at spot) {
		from, ok := passed(text)
		whole := func(own Param) bool { return own.Name == from.name && own.Type == TypeArray && from.part == allItems }
		if ok && (!spreads || !slices.ContainsFunc(p.Spec.Params, whole)) {
			l.passedOn(p, from, nil, at)
		}
	}
	switch v := value.(type) {
	case []string:
		for i, text := range v {
			item(text, true, at.at(i))
		}
	case map[string]string:
		for key, text := range v {
			item(text, false, at.at(key))
		}
	}
}
