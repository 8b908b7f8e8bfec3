package rule

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// The names under which a rule reads an Observed.
const (
	observedFacts   = "observed"
	observedUsual   = "usual"
	observedMedian  = "median"
	observedCluster = "cluster"
	observedTarget  = "target"
	observedWhere   = "environment"
)

// scopeObserved is what a rule over observations sees.
const scopeObserved Scope = "observed"

// Observed is what was observed at one target of a case, beside what is observed at the others.
type Observed struct {
	Cluster, Target, Environment string
	Observed                     map[string]any     // texts, bools and float64, by their names
	Usual                        map[string]any     // of each, what most targets have
	Median                       map[string]float64 // of each that is a number
}

// ObservedRule is a compiled rule that says whether what was observed fits. It is safe for concurrent use.
type ObservedRule struct{ planned cel.Program }

// CompileObserved parses and type-checks a rule over what was observed, and plans it. What is wrong with it comes back as Issues.
func CompileObserved(source string) (*ObservedRule, error) {
	facts := cel.MapType(cel.StringType, cel.DynType)
	env, err := cel.NewEnv(append(language(),
		cel.Variable(observedFacts, facts), cel.Variable(observedUsual, facts),
		cel.Variable(observedMedian, cel.MapType(cel.StringType, cel.DoubleType)),
		cel.Variable(observedCluster, cel.StringType), cel.Variable(observedTarget, cel.StringType), cel.Variable(observedWhere, cel.StringType),
	)...)
	if err != nil {
		return nil, fmt.Errorf("cannot build environment of observations: %w", err)
	}
	checked, _, err := check(env, scopeObserved, nil, source)
	if err != nil {
		return nil, err
	}
	planned, err := plan(env, checked)
	if err != nil {
		return nil, err
	}
	return &ObservedRule{planned}, nil
}

// Fits reports whether what was observed is as the rule wants it. An error says that this could not be told, such as for something that was
// not observed there.
func (r *ObservedRule) Fits(ctx context.Context, o Observed) (bool, error) {
	out, _, err := r.planned.ContextEval(ctx, map[string]any{
		observedFacts: o.Observed, observedUsual: o.Usual, observedMedian: o.Median,
		observedCluster: o.Cluster, observedTarget: o.Target, observedWhere: o.Environment,
	})
	if err != nil {
		return false, errors.New(plain(err.Error()))
	}
	fits, is := out.(types.Bool)
	if !is {
		return false, errors.New("the rule yields no bool")
	}
	return bool(fits), nil
}
