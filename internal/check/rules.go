package check

import (
	"context"
	"errors"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Rules are the checks that are gates: CEL rules over the facts. They read nothing else.
type Rules struct {
	compiler *rule.Compiler
}

// NewRules returns Rules that compile each rule once.
func NewRules() *Rules { return &Rules{compiler: rule.NewCompiler()} }

// Ask runs the gates of a check; the first that does not hold decides.
func (r *Rules) Ask(ctx context.Context, q Question) (Finding, bool) {
	if len(q.Check.Gates) == 0 {
		return Finding{}, false
	}
	passed := Finding{Verdict: api.Passed}
	for _, g := range q.Check.Gates {
		f := r.gate(ctx, g, q)
		if f.Verdict != api.Passed {
			return f, true
		}
		passed.Seen = f.Seen
	}
	return passed, true
}

// gate runs one rule.
func (r *Rules) gate(ctx context.Context, g pipelines.ResolvedGate, q Question) Finding {
	values := q.Check.RuleValues()
	program, err := r.compiler.Compile(pipelines.ScopeOf(q.Point), q.Check.RuleParams(), g.CEL)
	if err != nil {
		return Finding{Verdict: api.Error, Message: "cannot compile the rule: " + err.Error()}
	}
	if blind(program, q.Facts) {
		return Finding{Verdict: api.Inconclusive, Message: "the rule reads the workload, and no workload was moved here"}
	}
	holds, err := program.Eval(ctx, q.Facts, values)
	f := Finding{Verdict: api.Passed, Seen: program.Seen(q.Facts, values)}
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
