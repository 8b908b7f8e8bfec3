// Package gate turns checks and facts into verdicts. It evaluates compiled rules and nothing else: it reads no cluster,
// keeps no state but the compiled programs, and decides nothing about what a verdict leads to.
package gate

import (
	"context"
	"errors"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Evaluator runs gates. It is safe for concurrent use.
type Evaluator struct {
	rules *rule.Compiler
}

// NewEvaluator returns an Evaluator that compiles each rule once.
func NewEvaluator() *Evaluator { return &Evaluator{rules: rule.NewCompiler()} }

// Evaluate runs the checks in their order. A check that others run after, and that did not pass, has them Skipped. The
// result has one entry for each check, in the same order; a context that ends leaves Error for what was not run.
func (e *Evaluator) Evaluate(ctx context.Context, req step.EvaluateRequest) []api.Check {
	out := make([]api.Check, 0, len(req.Checks))
	stopped := map[string]bool{}
	for _, c := range req.Checks {
		found := api.Check{Name: c.Name, At: string(req.Point), Advisory: c.Enforcement == pipelines.Advisory}
		if i := slices.IndexFunc(c.RunAfter, func(n string) bool { return stopped[n] }); i >= 0 {
			found.Verdict, found.Message = api.Skipped, "runs after "+c.RunAfter[i]+", which did not pass"
			stopped[c.Name] = true
			out = append(out, found)
			continue
		}
		e.check(ctx, c, req, &found)
		if found.Verdict != api.Passed && !found.Advisory {
			stopped[c.Name] = true
		}
		out = append(out, found)
	}
	return out
}

// check runs the gates of one check; the first that does not hold decides.
func (e *Evaluator) check(ctx context.Context, c pipelines.ResolvedCheck, req step.EvaluateRequest, found *api.Check) {
	if len(c.Gates) == 0 {
		found.Verdict, found.Message = api.Error, "the check has no gate"
		return
	}
	params, values := c.RuleParams(), c.RuleValues()
	for _, g := range c.Gates {
		program, err := e.rules.Compile(pipelines.ScopeOf(req.Point), params, g.CEL)
		if err != nil {
			found.Verdict, found.Message = api.Error, "cannot compile the rule: "+err.Error()
			return
		}
		if blind(program, req.Facts) {
			found.Verdict, found.Message = api.Inconclusive, "the rule reads the workload, and no workload was moved here"
			return
		}
		holds, err := program.Eval(ctx, req.Facts, values)
		found.Seen = program.Seen(req.Facts, values)
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			found.Verdict, found.Message = api.Error, "the evaluation was cut short: "+err.Error()
			return
		case err != nil:
			found.Verdict, found.Message = api.Error, err.Error()
			return
		case !holds:
			found.Verdict, found.Message = api.Failed, explain(g)
			return
		}
	}
	found.Verdict = api.Passed
}

// ReadsWorkload reports whether a check of a cluster speaks of its workloads: where none is moved it cannot be judged.
func (e *Evaluator) ReadsWorkload(c pipelines.ResolvedCheck) bool {
	return slices.ContainsFunc(c.Gates, func(g pipelines.ResolvedGate) bool {
		program, err := e.rules.Compile(rule.ScopeCluster, c.RuleParams(), g.CEL)
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
