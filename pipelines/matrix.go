package pipelines

import (
	"fmt"
	"slices"
)

// Bounds on what a run does beside its stages: its history has to stay small.
const (
	maxCombinations = 256 // of one matrix
	maxTaskRuns     = 256 // of all tasks of a pipeline, finally among them, each combination for itself
)

// count is how many combinations there are at most; counting ends beyond what is allowed.
func (m *Matrix) count() int {
	if m == nil {
		return 0
	}
	n := 0
	if len(m.Params) > 0 {
		n = 1
	}
	for _, p := range m.Params {
		n *= len(p.Value)
		if n > maxCombinations {
			return n
		}
	}
	return n + len(m.explicit())
}

// Combinations are the params of each run of the task, in the order of the file: every value of the first param with every one of
// the next, then what include adds. There is none where a param takes no value.
func (m *Matrix) Combinations() [][]ParamValue {
	if slices.ContainsFunc(m.Params, func(p MatrixParam) bool { return len(p.Value) == 0 }) {
		return nil
	}
	var all [][]ParamValue
	if len(m.Params) > 0 {
		all = [][]ParamValue{nil}
	}
	for _, p := range m.Params {
		var longer [][]ParamValue
		for _, c := range all {
			for _, v := range p.Value {
				longer = append(longer, append(slices.Clone(c), ParamValue{p.Name, v}))
			}
		}
		all = longer
	}
	for i := range m.Include {
		inc := &m.Include[i]
		for n, c := range all {
			if len(m.Params) > 0 && inc.joins(c[:len(m.Params)]) {
				all[n] = inc.over(c)
			}
		}
	}
	for _, inc := range m.explicit() {
		all = append(all, inc.Params)
	}
	return all
}

// with is the matrix with the items of arrays of the pipeline among its values.
func (m *Matrix) with(pipeline []ParamValue) (*Matrix, error) {
	out := &Matrix{Include: m.Include}
	for _, p := range m.Params {
		values := MatrixValues{}
		for _, v := range p.Value {
			from, ok := passed(v)
			if !ok || from.part != allItems {
				values = append(values, v)
				continue
			}
			items, err := from.of(pipeline)
			if err != nil {
				return nil, err
			}
			array, _ := items.([]string)
			for _, item := range array {
				values = append(values, item)
			}
		}
		out.Params = append(out.Params, MatrixParam{p.Name, values})
	}
	if n := out.count(); n > maxCombinations {
		return nil, fmt.Errorf("its matrix has %d combinations or more, at most %d are allowed", n, maxCombinations)
	}
	return out, nil
}

// explicit are the includes that join no combination of the params: each is one for itself.
func (m *Matrix) explicit() []MatrixInclude {
	var out []MatrixInclude
	for _, inc := range m.Include {
		alone := len(m.Params) == 0
		for _, v := range inc.Params {
			i := slices.IndexFunc(m.Params, func(p MatrixParam) bool { return p.Name == v.Name })
			alone = alone || i >= 0 && !slices.Contains(m.Params[i].Value, v.Value)
		}
		if alone {
			out = append(out, inc)
		}
	}
	return out
}

// joins reports whether a combination has the values that the include names of it.
func (i *MatrixInclude) joins(c []ParamValue) bool {
	return !slices.ContainsFunc(c, func(v ParamValue) bool {
		return slices.ContainsFunc(i.Params, func(own ParamValue) bool { return own.Name == v.Name && own.Value != v.Value })
	})
}

// over is a combination with what the include adds.
func (i *MatrixInclude) over(c []ParamValue) []ParamValue {
	out := slices.Clone(c)
	for _, v := range i.Params {
		if n := slices.IndexFunc(out, func(o ParamValue) bool { return o.Name == v.Name }); n >= 0 {
			out[n] = v
			continue
		}
		out = append(out, v)
	}
	return out
}
