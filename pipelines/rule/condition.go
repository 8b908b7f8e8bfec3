package rule

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// The names under which a condition reads a Measurement.
const (
	factResult = "result"
	factValue  = "value"
	factSeries = "series"
	factLabels = "labels"
)

// scopeMeasurement is what a condition sees: a Measurement, and the params.
const scopeMeasurement Scope = "measurement"

// Measurement is what a condition speaks about: series of numbers, and the labels of each. A condition reads them as series and
// labels, two lists of one length; all numbers one after another as result; and the only one as value, which is no value where
// there are more or none.
type Measurement struct {
	Series [][]float64
	Labels []map[string]string
}

// Result is all numbers of the series, one after another.
func (m Measurement) Result() []float64 {
	all := []float64{}
	for _, s := range m.Series {
		all = append(all, s...)
	}
	return all
}

// Condition is a compiled condition over a Measurement. It is safe for concurrent use.
type Condition struct {
	planned   cel.Program
	readsNaN  bool
	readsNone bool
}

// ReadsNaN reports whether the condition asks which numbers are NaN. One that does not
// takes them for small and large at once, and should be handed none; nil does not.
func (c *Condition) ReadsNaN() bool { return c != nil && c.readsNaN }

// ReadsNone reports whether the condition asks how many numbers there are, or says what holds where there are none.
func (c *Condition) ReadsNone() bool { return c != nil && c.readsNone }

// CompileCondition parses and type-checks a condition, with the params declared, and plans it. What is wrong with it comes back as
// Issues, all of it at once.
func (c *Compiler) CompileCondition(params []Param, source string) (*Condition, error) {
	key := programKey{envKey{scopeMeasurement, signature(params)}, source}
	if known, ok := c.conditions.get(key); ok {
		return known, nil
	}
	env, ok := c.envs.get(key.envKey)
	if !ok {
		fresh, err := newMeasurementEnv(params)
		if err != nil {
			return nil, err
		}
		env = c.envs.put(key.envKey, fresh)
	}
	checked, _, err := check(env, scopeMeasurement, params, source)
	if err != nil {
		return nil, err
	}
	planned, err := plan(env, checked)
	if err != nil {
		return nil, err
	}
	made := &Condition{planned: planned}
	ast.PostOrderVisit(ast.NavigateAST(checked.NativeRep()), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		switch e.AsCall().FunctionName() {
		case "isNaN", "math.isNaN", "math.isFinite":
			made.readsNaN = true
		case "size":
			made.readsNone = true
		case "default":
			made.readsNaN, made.readsNone = true, true
		}
	}))
	return c.conditions.put(key, made), nil
}

// Eval says whether the condition holds for a measurement. NaN is neither above nor below anything. An error says that this could not
// be told: a number or label that is not there, too much work, or a context that ended, which the error then wraps.
func (c *Condition) Eval(ctx context.Context, m Measurement, params Params) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("cannot evaluate condition: %w", err)
	}
	out, _, err := c.planned.ContextEval(ctx, &measurementActivation{m, m.Result(), params})
	if err != nil {
		if strings.HasPrefix(err.Error(), "no such attribute") {
			return false, fmt.Errorf("cannot evaluate condition: there is no single value: the query yields %d; read them as result",
				len(m.Result()))
		}
		return false, fmt.Errorf("cannot evaluate condition: %w", err)
	}
	holds, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("cannot evaluate condition: it yields %s, not bool", out.Type().TypeName())
	}
	return bool(holds), nil
}

// measurementActivation resolves the names of a condition.
type measurementActivation struct {
	seen   Measurement
	result []float64
	params Params
}

var _ interpreter.Activation = (*measurementActivation)(nil)

// ResolveName implements interpreter.Activation.
func (a *measurementActivation) ResolveName(name string) (any, bool) {
	if param, ok := strings.CutPrefix(name, paramsPrefix); ok {
		value, given := a.params[param]
		return value, given
	}
	switch name {
	case factResult:
		return a.result, true
	case factSeries:
		return a.seen.Series, true
	case factLabels:
		return a.seen.Labels, true
	case factValue:
		if len(a.result) == 1 {
			return a.result[0], true
		}
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (a *measurementActivation) Parent() interpreter.Activation { return nil }

func newMeasurementEnv(params []Param) (*cel.Env, error) {
	numbers := cel.ListType(cel.DoubleType)
	variables := []cel.EnvOption{
		cel.Variable(factResult, numbers),
		cel.Variable(factValue, cel.DoubleType),
		cel.Variable(factSeries, cel.ListType(numbers)),
		cel.Variable(factLabels, cel.ListType(cel.MapType(cel.StringType, cel.StringType))),
		cel.Function("isNaN", cel.Overload("isnan_double", []*cel.Type{cel.DoubleType}, cel.BoolType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(math.IsNaN(float64(v.(types.Double)))) }))),
		cel.Function("isInf", cel.Overload("isinf_double", []*cel.Type{cel.DoubleType}, cel.BoolType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(math.IsInf(float64(v.(types.Double)), 0)) }))),
		cel.Function("default", cel.Overload("default_list_double", []*cel.Type{numbers, cel.DoubleType}, numbers,
			cel.BinaryBinding(numbersOr))),
	}
	for _, p := range params {
		variables = append(variables, cel.Variable(paramsPrefix+p.Name, p.Type.cel()))
	}
	env, err := cel.NewEnv(append(language(), variables...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot build condition environment: %w", err)
	}
	return env, nil
}

// numbersOr is those of a list that are numbers, or a list of the other one where there are none.
func numbersOr(list, other ref.Val) ref.Val {
	var kept []float64
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		if v := float64(it.Next().(types.Double)); !math.IsNaN(v) {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		kept = []float64{float64(other.(types.Double))}
	}
	return types.DefaultTypeAdapter.NativeToValue(kept)
}
