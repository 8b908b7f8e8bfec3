package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// The rules of refusals that no single object is to blame for.
const (
	ruleRender  = "render"  // the template does not render here
	ruleContext = "context" // the kubeconfig does not have the cluster
	ruleAccess  = "access"  // the cluster does not let us look
	ruleDriver  = "driver"  // no driver moves a workload of the render, or not as it is now
	ruleServed  = "served"  // the cluster does not serve a kind of the render
	ruleUnknown = "unknown" // nobody knows what a workload was before the run that is taken back
)

// Preview looks at what a plan would change in a cluster, and stores it. A cluster that cannot be looked at is part of
// the answer, not an error.
func (a *Activities) Preview(ctx context.Context, req step.DiffRequest) (string, error) {
	found, _, err := a.compare(ctx, req.Ref)
	found.Notes = append(found.Notes, found.AboutBehind()...)
	switch fault.CodeOf(err) {
	case "":
	case fault.Unreachable:
		found = plan.ClusterDiff{Cluster: req.Cluster, Unreachable: err.Error()}
	case fault.Invalid:
		rule := ruleContext
		var render *templates.RenderError
		if errors.As(err, &render) {
			rule = ruleRender
		}
		found = plan.ClusterDiff{Cluster: req.Cluster, Refusals: []plan.Refusal{{Rule: rule, Message: err.Error()}}}
	case fault.Unauthorized, fault.Refused, fault.NotFound:
		found = plan.ClusterDiff{Cluster: req.Cluster, Refusals: []plan.Refusal{{Rule: ruleAccess, Message: err.Error()}}}
	default:
		return "", err
	}
	return a.putJSON(ctx, found)
}

// Diff looks at what a run has to change in a cluster, and stores the change set.
func (a *Activities) Diff(ctx context.Context, req step.DiffRequest) (step.DiffResult, error) {
	found, set, err := a.compare(ctx, req.Ref)
	if err != nil {
		return step.DiffResult{}, err
	}
	if err := a.behind(ctx, req.Ref, &found); err != nil {
		return step.DiffResult{}, err
	}
	out := step.DiffResult{Left: set.Left}
	if out.Changes, err = a.putJSON(ctx, set); err != nil {
		return out, err
	}
	if out.Stored, err = a.putJSON(ctx, found); err != nil {
		return out, err
	}
	for _, c := range set.Objects {
		writes := c.Action != patch.Unchanged
		out.Before = out.Before || writes && c.Phase == templates.Before || req.Back
		out.After = out.After || writes && c.Phase == templates.After || req.Back
	}
	out.Cluster = found
	out.Cluster.Objects = nil
	return out, nil
}

// compare renders what should be, reads what is, and works out the difference, object by object.
func (a *Activities) compare(ctx context.Context, ref step.Ref) (plan.ClusterDiff, changeSet, error) {
	out, set := plan.ClusterDiff{Cluster: ref.Cluster}, changeSet{}
	p, unit, stage, err := a.unitOf(ctx, ref)
	if err != nil {
		return out, set, err
	}
	c, err := a.Clusters.Cluster(ctx, ref.Context)
	if err != nil {
		return out, set, err
	}
	caps, err := c.Capabilities(ctx)
	if err != nil {
		return out, set, err
	}
	out.Version = caps.Version
	specs, err := a.specs(ctx, c, caps, p, unit, ref)
	if err != nil {
		return out, set, err
	}
	set.Target, set.Version = specs.targetDigest, specs.version
	set.Written = unit.WayBack.Objects
	if !ref.Back {
		if set.Written, err = a.putObjects(ctx, specs.all()); err != nil {
			return out, set, err
		}
	}
	out.Rendered = set.Written
	if !ref.Back && !unit.WayBack.Exists() && p.Rollback != pipelines.RollbackNever {
		out.WayBack = plan.Removed
		if specs.era, err = a.eraOf(ctx, ref, ref.Run); err != nil {
			return out, set, err
		}
	}
	out.Notes = specs.notes
	if !ref.Back {
		if set.Left, err = a.leftOver(ctx, ref, specs); err != nil {
			return out, set, err
		}
		noteLeftOver(&out, set.Left, p.Prune)
	}
	d := differ{a: a, c: c, p: p, ref: ref, specs: specs, rules: stage.Rules, out: &out, set: &set}
	for _, phase := range specs.phases {
		for _, o := range phase.Objects {
			if err := d.object(ctx, phase.Name, o); err != nil {
				return out, set, err
			}
		}
	}
	for _, name := range specs.unknown {
		d.refuse(ruleUnknown, name, "nothing is known of what it was before the run, so it cannot go back, and what its pods need stays with it")
	}
	if err := d.leftBehind(ctx); err != nil {
		return out, set, err
	}
	return out, set, d.finish(ctx)
}

// differ compares one cluster.
type differ struct {
	a       *Activities
	c       *kube.Cluster
	p       *plan.Plan
	ref     step.Ref
	specs   specs
	rules   plan.StageRules
	out     *plan.ClusterDiff
	set     *changeSet
	digests []string
	text    strings.Builder
}

func (d *differ) object(ctx context.Context, phase templates.PhaseName, target *unstructured.Unstructured) error {
	id, name := templates.ID(target), templates.Name(target)
	if _, err := d.c.Mapping(ctx, target.GroupVersionKind()); fault.CodeOf(err) == fault.NotFound || fault.CodeOf(err) == fault.Invalid {
		if !d.specs.brings(target.GroupVersionKind()) {
			d.refuse(ruleServed, name, err.Error())
			return nil
		}
		return d.add(ctx, phase, target, nil, patch.Change{Object: name, Action: patch.Create, Result: target})
	}
	live, err := d.live(ctx, target)
	if err != nil {
		return err
	}
	if f, back := d.specs.found[id]; back {
		return d.foundWorkload(ctx, phase, target, live, f)
	}
	if live != nil && target.GetAnnotations()[templates.GeneratedAnnotation] != "" {
		return nil
	}
	if d.out.WayBack != "" && d.specs.era.isFound(live) {
		d.out.WayBack = plan.AsFound
	}
	if live != nil && d.ref.Back && slices.Contains(keptKinds, target.GetKind()) {
		return nil // a schema is never narrowed, and what is stored is never given up
	}
	options, err := d.options(phase, target)
	if err != nil {
		d.refuse(ruleDriver, name, err.Error())
		return nil
	}
	if options.Costs, err = d.costs(target, live); err != nil {
		return err
	}
	recorded := d.specs.written(id)
	if left := workload.Disarmed(live, recorded); left != nil {
		options.Intents = append(slices.Clip(options.Intents), left)
	}
	change, err := patch.Compute(patch.Triple{Recorded: recorded, Live: live, Target: target}, options)
	if err != nil {
		return err
	}
	return d.add(ctx, phase, target, live, change)
}

// foundWorkload compares a workload with what it was before Sluice. One that is gone, or another by now, stays as it is.
func (d *differ) foundWorkload(ctx context.Context, phase templates.PhaseName, target, live *unstructured.Unstructured, f foundWorkload) error {
	if live == nil || string(live.GetUID()) != f.before.UID {
		d.out.Notes = append(d.out.Notes, stays(templates.Name(target), staysOther))
		return nil
	}
	options, err := d.options(phase, target)
	if err != nil {
		return err
	}
	change, err := patch.Undo(f.image, live, f.written, options)
	if err != nil {
		return err
	}
	return d.add(ctx, phase, target, live, change)
}

// options are what the component, the pipeline and the driver say about a change.
func (d *differ) options(phase templates.PhaseName, target *unstructured.Unstructured) (patch.Options, error) {
	id := templates.ID(target)
	o := patch.Options{
		Component: d.p.Component, Ignore: d.p.Ignore, Drift: d.p.Drift, Exceptions: d.p.Exceptions,
		Intents: d.specs.intents[id], ReachesAtOnce: d.specs.reaches[templates.Name(target)], Previous: d.specs.previous(target),
	}
	if d.ref.Back {
		o.Drift = pipelines.DriftOverwrite
	}
	if phase != templates.Workloads {
		return o, nil
	}
	driver, err := drivers.For(target.GroupVersionKind().GroupKind())
	if err != nil {
		return o, err
	}
	o.Leave = driver.Holds()
	return o, nil
}

// costs are the rules that a workload breaks where its pods move.
func (d *differ) costs(target, live *unstructured.Unstructured) ([]patch.Cost, error) {
	found, err := drivers.Costs(workload.Spec{Target: target, WayBack: d.specs.recorded[templates.ID(target)]}, live)
	var costs []patch.Cost
	for _, c := range found {
		costs = append(costs, patch.Cost{Rule: patch.Rule(c.Rule), Why: c.Why})
	}
	return costs, err
}

func (d *differ) live(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live, err := d.c.Get(ctx, o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return live, err
}

func (d *differ) add(ctx context.Context, phase templates.PhaseName, target, live *unstructured.Unstructured, found patch.Change) error {
	id := templates.ID(target)
	c := change{
		Object: found.Object, Phase: phase, Action: found.Action, Patch: found.Patch, PatchType: found.PatchType,
		LiveVersion: found.LiveVersion, Target: target.Object,
	}
	if before := d.specs.recorded[id]; before != nil {
		c.WayBack = before.Object
	}
	_, c.Found = d.specs.found[id]
	if live != nil {
		c.LiveGeneration = live.GetGeneration()
		if phase == templates.Workloads {
			c.Live = live.Object
		}
		_, c.Held = live.GetAnnotations()[workload.HeldAnnotation]
	}
	d.note(found)
	if !c.moves() {
		d.set.Objects = append(d.set.Objects, c)
		return nil
	}
	behind, err := d.workload(ctx, c, live, found.Result)
	c.Behind = behind
	d.set.Objects = append(d.set.Objects, c)
	return err
}

// note keeps what people read of a change.
func (d *differ) note(found patch.Change) {
	shown := plan.Object{Object: found.Object, Action: strings.ToLower(string(found.Action))}
	for _, f := range found.Drift {
		by := ""
		if f.Manager != "" {
			by = " by " + f.Manager
		}
		shown.Drift = append(shown.Drift, fmt.Sprintf("%s: recorded %s, live %s%s", f.Path, f.Recorded, f.Live, by))
	}
	if !found.Absent || len(found.Drift) > 0 {
		d.out.Objects = append(d.out.Objects, shown)
	}
	for _, no := range found.Refusals {
		if d.ref.Back && no.Rule != patch.RuleOwnedBy && no.Rule != patch.RuleTerminating {
			d.out.Notes = append(d.out.Notes, fmt.Sprintf("%s of %s does not hold a rollback: %s", no.Rule, no.Object, no.Message))
			continue
		}
		d.refuse(string(no.Rule), no.Object, no.Message)
	}
	for _, yes := range found.Excepted {
		d.out.Notes = append(d.out.Notes, fmt.Sprintf("%s of %s let through by exception: %s", yes.Rule, yes.Object, yes.Reason))
	}
	if found.Action != patch.Unchanged && !found.Absent {
		d.digests = append(d.digests, found.Digest())
		d.text.WriteString(patch.Text(found))
	}
}

func (d *differ) refuse(rule, object, message string) {
	d.out.Refusals = append(d.out.Refusals, plan.Refusal{Rule: rule, Object: object, Message: message})
}

// leftBehind looks at recorded objects that are not rendered any more. They are left alone, but an edit of one by hand
// is drift all the same: it is what a way back would return to.
func (d *differ) leftBehind(ctx context.Context) error {
	for _, o := range d.specs.gone {
		live, err := d.live(ctx, o)
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		found, err := patch.Compute(patch.Triple{Recorded: o, Live: live}, patch.Options{
			Component: d.p.Component, Ignore: d.p.Ignore, Drift: d.p.Drift, Exceptions: d.p.Exceptions, Intents: d.specs.intents[templates.ID(o)],
		})
		if err != nil {
			return err
		}
		d.note(found)
	}
	return nil
}

func (d *differ) finish(ctx context.Context) error {
	d.blindChecks()
	if len(d.digests) > 0 {
		d.out.Diff = ledger.Digest([]byte(strings.Join(d.digests, "\n")))
		text, err := d.a.Ledger.PutBlob(ctx, []byte(d.text.String()))
		if err != nil {
			return err
		}
		d.out.Text = text
	}
	return nil
}

// blindChecks says which checks will hold the cluster because nothing that they speak of is moved here.
func (d *differ) blindChecks() {
	if len(d.digests) == 0 || len(d.out.Workloads) > 0 || d.ref.Back {
		return
	}
	for _, c := range d.rules.Checks {
		if c.RunsAt(pipelines.AfterCluster) && c.Enforcement == pipelines.Enforcing && d.a.Checks.Rules.ReadsWorkload(c) {
			d.out.Notes = append(d.out.Notes, fmt.Sprintf("check %s reads the workload, and none is moved here: it will be Inconclusive and hold the cluster", c.Name))
		}
	}
}

// brings reports whether the render itself has the CRD of a kind that the cluster does not serve yet.
func (s specs) brings(gvk schema.GroupVersionKind) bool {
	for _, o := range s.all() {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		if group == gvk.Group && kind == gvk.Kind {
			return true
		}
	}
	return false
}
