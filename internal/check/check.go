// Package check turns checks and facts into verdicts: a file for each kind of check. It keeps the order in which checks run
// after each other, and decides nothing about what a verdict leads to.
package check

import (
	"context"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Runner runs checks that are rules, in no time. It is safe for concurrent use.
type Runner struct {
	Rules *Rules
	Heard Heard // what rules find, as kind gate; nil where nobody wants to
	ask   Rule
}

// Heard is told what a step of a kind has found, each time that it looked. It is called from many goroutines.
type Heard func(kind string, found api.Verdict)

func (h Heard) tell(kind string, found api.Verdict) {
	if h != nil {
		h(kind, found)
	}
}

// Rule runs the rules of one check.
type Rule func(ctx context.Context, c pipelines.ResolvedCheck, at pipelines.Point, facts rule.Facts) Finding

// New returns a Runner.
func New() *Runner {
	rules := NewRules()
	return &Runner{Rules: rules, ask: rules.check}
}

// NewOf returns a Runner that runs rules in a way of its own: a slow one, for a test.
func NewOf(ask Rule) *Runner { return &Runner{Rules: NewRules(), ask: ask} }

// Evaluate runs the checks in their order. A check that others run after, and that did not pass, has them Skipped. The
// result has one entry for each check, in the same order; a context that ends leaves Error for what was not run.
func (r *Runner) Evaluate(ctx context.Context, req step.EvaluateRequest) []api.Check {
	out, _ := inOrder(req.Checks, req.Point, func(c pipelines.ResolvedCheck, found api.Check) (api.Check, error) {
		f := bounded(r.ask(ctx, c, req.Point, req.Facts))
		r.Heard.tell("gate", f.Verdict)
		found.Verdict, found.Message, found.Seen = f.Verdict, f.Message, f.Seen
		return found, nil
	})
	return spareFound(out)
}

// inOrder judges checks one after another. One that runs after a check that did not pass is Skipped. An error ends it.
func inOrder(
	checks []pipelines.ResolvedCheck, at pipelines.Point, judge func(pipelines.ResolvedCheck, api.Check) (api.Check, error),
) ([]api.Check, error) {
	out := make([]api.Check, 0, len(checks))
	stopped := map[string]bool{}
	for _, c := range checks {
		found := api.Check{Name: c.Name, At: at, Advisory: c.Enforcement == pipelines.Advisory}
		if i := slices.IndexFunc(c.RunAfter, func(n string) bool { return stopped[n] }); i >= 0 {
			found.Verdict, found.Message = api.Skipped, "runs after "+c.RunAfter[i]+", which did not pass"
			stopped[c.Name] = true
			out = append(out, found)
			continue
		}
		found, err := judge(c, found)
		if err != nil {
			return nil, err
		}
		if found.Verdict != api.Passed && !found.Advisory {
			stopped[c.Name] = true
		}
		out = append(out, found)
	}
	return out, nil
}

// Judge runs checks, each at its own point: those that run during a batch, and those that are to judge its end.
// A context that ends in between is an error: what was cut short is no verdict.
func (r *Runner) Judge(ctx context.Context, checks []pipelines.ResolvedCheck, facts rule.Facts) ([]api.Check, error) {
	if len(checks) == 0 {
		return nil, nil
	}
	var during, after []pipelines.ResolvedCheck
	for _, c := range checks {
		if c.RunsAt(pipelines.During) {
			during = append(during, c)
			continue
		}
		after = append(after, c)
	}
	found := r.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.During, Checks: during, Facts: facts})
	found = append(found, r.Evaluate(ctx, step.EvaluateRequest{Point: pipelines.AfterBatch, Checks: after, Facts: facts})...)
	return found, ctx.Err()
}
