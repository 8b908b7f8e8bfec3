package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// judge notes what a plan undercuts of the policies of this moment, for whoever made it and whoever starts it. What somebody else has
// let this plan pass is left out.
func (e *Engine) judge(ctx context.Context, planned *Planned, run ledger.Run) error {
	all, err := e.undercuts(ctx, planned, run)
	if err != nil || len(all) == 0 {
		return err
	}
	bypasses, err := e.ledger.Bypasses(ctx, planned.Hash)
	if err != nil {
		return err
	}
	run.Plan = planned.Hash
	planned.Undercuts = slices.DeleteFunc(all, func(b policy.Broken) bool {
		return run.Bypassing(ledger.PolicyPrefix+b.Policy, bypasses) != nil
	})
	return nil
}

// undercuts is what a plan undercuts of the policies that are kept, and of those that came with its files, which can only add.
func (e *Engine) undercuts(ctx context.Context, planned *Planned, run ledger.Run) ([]policy.Broken, error) {
	policies, err := e.policies(ctx, planned.Stored)
	if err != nil || len(policies) == 0 {
		return nil, err
	}
	c := policy.Case{Plan: planned.Plan, Live: planned.Live, By: []string{planned.Stored.By}}
	if run.By != "" {
		c.By = append(c.By, run.By)
	}
	if slices.ContainsFunc(policies, asksForTemplates) {
		if c.Templates, err = e.templates(ctx, planned.Plan); err != nil {
			return nil, err
		}
	}
	return policy.Judge(c, policies), nil
}

// policies are those that are kept, and those that came with a plan's files and are not the same.
func (e *Engine) policies(ctx context.Context, stored ledger.Plan) ([]*pipelines.Policy, error) {
	kept, err := e.ledger.ListKept(ctx, pipelines.KindPolicy)
	if err != nil {
		return nil, err
	}
	all, err := policiesOf(kept)
	if err != nil {
		return nil, err
	}
	if stored.Policies == "" {
		return all, nil
	}
	var given []json.RawMessage
	if err := e.read(ctx, stored.Policies, &given); err != nil {
		return nil, err
	}
	for _, data := range given {
		if slices.ContainsFunc(kept, func(k ledger.Kept) bool { return string(k.Document) == string(data) }) {
			continue
		}
		p := &pipelines.Policy{}
		if err := json.Unmarshal(data, p); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot read the policies of plan %.12s", stored.Hash)
		}
		all = append(all, p)
	}
	return all, nil
}

// policiesOf are the policies among kept documents. One that nobody can read is an error: it must not be passed by.
func policiesOf(kept []ledger.Kept) ([]*pipelines.Policy, error) {
	var all []*pipelines.Policy
	for _, k := range kept {
		if k.Kind != pipelines.KindPolicy {
			continue
		}
		p := &pipelines.Policy{}
		if err := k.Read(p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// contradict is fault.Invalid where no pipeline can meet a policy among documents and one that is kept and stays.
func contradict(docs *pipelines.Documents, kept []ledger.Kept) error {
	if len(docs.Policies) == 0 {
		return nil
	}
	others, err := policiesOf(kept)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Policies)) {
		for _, other := range others {
			if docs.Policies[other.Metadata.Name] != nil {
				continue // it is replaced
			}
			for _, c := range pipelines.Contradictions(docs.Policies[name], other) {
				return fault.New(fault.Invalid, "cannot keep Policy %s: %s: %s", name, c.Field, c.Message)
			}
		}
	}
	return nil
}

// storePolicies keeps the policies among the files of a plan, and returns their digest; "" where there are none.
func (e *Engine) storePolicies(ctx context.Context, docs *pipelines.Documents) (string, error) {
	if len(docs.Policies) == 0 {
		return "", nil
	}
	var given []*pipelines.Policy
	for _, name := range slices.Sorted(maps.Keys(docs.Policies)) {
		given = append(given, docs.Policies[name])
	}
	data, err := json.Marshal(given)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot encode policies")
	}
	return e.ledger.PutBlob(ctx, data)
}

func asksForTemplates(p *pipelines.Policy) bool {
	return p.Spec.Review != nil && slices.Contains(p.Spec.Review.When, pipelines.TemplateChange)
}

// templates are, by cluster, the templates of what runs there, where a plan on record says so of exactly that.
func (e *Engine) templates(ctx context.Context, p *plan.Plan) (map[string]string, error) {
	type rendered struct{ template, target string }
	before := map[string]map[string]rendered{} // by run and cluster
	found := map[string]string{}
	for _, u := range p.AllUnits() {
		if u.WayBack.Run == "" {
			continue
		}
		if before[u.WayBack.Run] == nil {
			units := map[string]rendered{}
			run, err := e.ledger.Run(ctx, u.WayBack.Run)
			if err == nil {
				var planned *Planned
				if planned, err = e.LoadPlan(ctx, run.Plan); err == nil {
					for _, o := range planned.Plan.AllUnits() {
						units[o.Cluster] = rendered{planned.Plan.Source.Template, o.Target}
					}
				}
			}
			if err != nil && fault.CodeOf(err) != fault.NotFound {
				return nil, err
			}
			before[u.WayBack.Run] = units
		}
		if r := before[u.WayBack.Run][u.Cluster]; r.target == u.WayBack.Target {
			found[u.Cluster] = r.template
		}
	}
	return found, nil
}

// undercutPolicies names the policies that a plan undercuts, each once.
func (p *Planned) undercutPolicies() []string {
	var names []string
	for _, b := range p.Undercuts {
		names = append(names, b.Policy)
	}
	return slices.Compact(names) // they come by policy
}

// RefusedByPolicy is what of policies speaks against starting the plan, each a line.
func (p *Planned) RefusedByPolicy() []string {
	var lines []string
	for _, b := range p.Undercuts {
		lines = append(lines, b.String())
	}
	return lines
}

// ToBypass says how a second person lets the plan pass what it undercuts, in the words of a program.
func (p *Planned) ToBypass(program string) []string {
	var lines []string
	for _, name := range p.undercutPolicies() {
		lines = append(lines, fmt.Sprintf("a second person may let this plan pass: %s bypass %s%s %.12s --reason TEXT",
			program, ledger.PolicyPrefix, name, p.Hash))
	}
	return lines
}

// refusedByPolicy is the refusal of a plan that undercuts policies, with what can be done; nil where it undercuts none.
func (e *Engine) refusedByPolicy(p *Planned) error {
	if len(p.Undercuts) == 0 {
		return nil
	}
	lines := append(p.RefusedByPolicy(), p.ToBypass(e.options.Program)...)
	return fault.New(fault.Refused, "it undercuts %s:\n  %s", few(p.undercutPolicies()), strings.Join(lines, "\n  "))
}
