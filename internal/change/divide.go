package change

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// divide asks the driver whether it can move a workload to what it is to be after, and resolves its batches. It returns the nodes
// that are dead now: they are set aside for as long as the unit lasts, and in no batch's arithmetic.
func (d *comparison) divide(ctx context.Context, o Object, live, after *unstructured.Unstructured) ([]string, error) {
	driver, err := d.Drivers(o.Target().GroupVersionKind().GroupKind())
	if err != nil {
		d.refuse(api.RuleDriver, o.Name, err.Error())
		return nil, nil
	}
	spec := o.spec(d.Part)
	if err := driver.Check(ctx, spec, live); err != nil {
		if code := fault.CodeOf(err); code == fault.Unreachable || code == fault.Internal {
			return nil, err
		}
		d.refuse(api.RuleDriver, o.Name, err.Error())
		return nil, nil
	}
	rules := d.Rules
	if d.Part.Back {
		rules = rules.Back()
	}
	w := plan.Division{Object: o.Name}
	if w.Whole, err = wholly(spec, live, after); err != nil {
		return nil, err
	}
	var behind []string
	w, err = inBatches(w, rules, func(sets []pipelines.NodeSet) ([]workload.Size, error) {
		sizes, err := driver.Sizes(ctx, spec, sets)
		for _, size := range sizes {
			for _, n := range size.Behind {
				behind = append(behind, n.Name)
			}
		}
		return sizes, err
	})
	if err != nil {
		return nil, err
	}
	d.out.Workloads = append(d.out.Workloads, w)
	return behind, nil
}

// wholly says why all pods of a workload are one batch; "" where they are not.
func wholly(spec workload.Spec, live, after *unstructured.Unstructured) (string, error) {
	switch {
	case live == nil:
		return plan.CreatedWhole, nil
	case workload.Stays(live, after):
		return plan.PodsStay, nil
	}
	costs, err := drivers.Costs(spec, live)
	if slices.ContainsFunc(costs, func(c workload.Cost) bool { return c.Rule == api.RuleTakesAllDown }) {
		return plan.TakenDown, nil
	}
	return "", err
}

// inBatches resolves the batches of a workload, of which sizes counts the pods and the dead nodes in each of some node sets.
func inBatches(w plan.Division, rules plan.StageRules, sizes func([]pipelines.NodeSet) ([]workload.Size, error)) (plan.Division, error) {
	if w.Whole != "" {
		rules = rules.Whole()
	}
	found, err := sizes(rules.NodeSets)
	if err != nil {
		return w, err
	}
	for i, set := range rules.NodeSets {
		pods := found[i].Pods
		w.NodeSets = append(w.NodeSets, plan.NodeSetBatch{Name: set.Name, Pods: pods, Batches: plan.Batches(rules.Batches, pods)})
	}
	w.Behind = goal.BehindOf(w.Object, rules.NodeSets, found)
	return w, nil
}
