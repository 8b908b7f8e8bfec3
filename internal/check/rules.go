package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// mostSaid is how much a rule that holds says, in bytes: there are many, and all are kept.
const mostSaid = 200

// Rules are the checks that are gates: CEL rules over the facts. They read nothing else.
type Rules struct {
	compiler *rule.Compiler
}

// NewRules returns Rules that compile each rule once.
func NewRules() *Rules { return &Rules{compiler: rule.NewCompiler()} }

// check runs the gates of a check; the first that does not hold decides.
func (r *Rules) check(ctx context.Context, c pipelines.ResolvedCheck, point pipelines.Point, facts rule.Facts) Finding {
	if len(c.Gates) == 0 {
		return Finding{Verdict: api.Error, Message: "the check has no gate"}
	}
	passed := Finding{Verdict: api.Passed, Seen: map[string]any{}}
	for _, g := range c.Gates {
		f := r.gate(ctx, g, c.RuleParams(), Question{Params: c.RuleValues(), Point: point, Facts: facts})
		if f.Verdict != api.Passed {
			return f
		}
		maps.Copy(passed.Seen, f.Seen)
	}
	passed.Message = saw(passed.Seen)
	return passed
}

// step runs a gate that is a step among others.
func (r *Rules) step(ctx context.Context, q Question) Finding {
	g := pipelines.ResolvedGate{Name: q.Step.Name, CEL: q.Step.Gate.CEL, Message: q.Step.Gate.Message}
	f := r.gate(ctx, g, declared(q.Params), q)
	if f.Verdict == api.Passed {
		f.Message = saw(f.Seen)
	}
	return f
}

// saw is what a rule that holds has read, in few words. Of lists and the like it tells only that they are there.
func saw(seen map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		switch v := seen[name].(type) {
		case string, bool, int64, float64:
			parts = append(parts, fmt.Sprintf("%s is %v", name, v))
		default:
			parts = append(parts, name)
		}
	}
	if len(parts) == 0 {
		return "it holds, and reads no fact"
	}
	return clip.Bytes(strings.Join(parts, ", "), mostSaid)
}

// declared are the declarations of params that have these values.
func declared(values rule.Params) []rule.Param {
	params := make([]rule.Param, 0, len(values))
	for name, value := range values {
		v := pipelines.ParamValue{Name: name, Value: value}
		params = append(params, rule.Param{Name: name, Type: rule.Type(v.Type())})
	}
	return params
}

// gate runs one rule.
func (r *Rules) gate(ctx context.Context, g pipelines.ResolvedGate, params []rule.Param, q Question) Finding {
	program, err := r.compiler.Compile(pipelines.ScopeOf(q.Point), params, g.CEL)
	if err != nil {
		return Finding{Verdict: api.Error, Message: "cannot compile the rule: " + err.Error()}
	}
	if blind(program, q.Facts) {
		return Finding{Verdict: api.Inconclusive, Message: "the rule reads the workload, and no workload was moved here"}
	}
	holds, err := program.Eval(ctx, q.Facts, q.Params)
	f := Finding{Verdict: api.Passed, Seen: program.Seen(q.Facts, q.Params)}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Verdict, f.Message = api.Error, "the evaluation was cut short: "+err.Error()
	case err != nil:
		f.Verdict, f.Message = api.Error, err.Error()
	case !holds:
		f.Verdict, f.Message = api.Failed, explain(g)
	}
	return f
}

// ReadsWorkload reports whether a check of a cluster speaks of its workloads: where none is moved it cannot be judged.
func (r *Rules) ReadsWorkload(c pipelines.ResolvedCheck) bool {
	return slices.ContainsFunc(c.Gates, func(g pipelines.ResolvedGate) bool {
		program, err := r.compiler.Compile(rule.ScopeCluster, c.RuleParams(), g.CEL)
		return err == nil && blind(program, rule.Facts{})
	})
}

// blind reports whether a rule about a cluster reads a workload that nobody has looked at: zeros are no facts.
func blind(program *rule.Program, facts rule.Facts) bool {
	return program.Scope() == rule.ScopeCluster && facts.Workload.Name == "" && program.ReadsFact("workload")
}

func explain(g pipelines.ResolvedGate) string {
	if g.Message != "" {
		return g.Message
	}
	return "does not hold: " + g.CEL
}
