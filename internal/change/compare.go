package change

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/drivers"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// Comparer compares what a plan brings to a cluster with what is there. It changes nothing. All fields are required.
type Comparer struct {
	Part    Part
	Plan    *plan.Plan
	Unit    *plan.Unit      // of the cluster in the plan
	Rules   plan.StageRules // of its stage
	Cluster Served
	Records History
	Drivers Drivers
	// BlindTo reports whether a check can judge nothing where no workload moves.
	BlindTo func(pipelines.ResolvedCheck) bool
}

// Drivers finds who moves workloads of a kind. A kind that nobody moves is an error.
type Drivers func(kind schema.GroupKind) (Driver, error)

// Driver is what comparing asks of one who moves workloads, in the cluster that is compared; see workload.Driver.
type Driver interface {
	Holds() []string
	Check(ctx context.Context, spec workload.Spec, live *unstructured.Unstructured) error
	Sizes(ctx context.Context, spec workload.Spec, sets []pipelines.NodeSet) ([]workload.Size, error)
}

// Compare renders what should be, reads what is, and works out the difference, object by object.
func (c Comparer) Compare(ctx context.Context) (plan.ClusterDiff, Set, error) {
	out, set := plan.ClusterDiff{Cluster: c.Part.Cluster}, Set{}
	caps, err := c.Cluster.Capabilities(ctx)
	if err != nil {
		return out, set, err
	}
	out.Version = caps.Version
	specs, err := c.specsOf(ctx, caps)
	if err != nil {
		return out, set, err
	}
	set.Target, set.Version = specs.targetDigest, specs.version
	set.Written = c.Unit.WayBack.Objects
	if !c.Part.Back {
		if set.Written, err = storeObjects(ctx, c.Records, specs.all()); err != nil {
			return out, set, err
		}
	}
	out.Rendered = set.Written
	if !c.Part.Back && !c.Unit.WayBack.Exists() && c.Plan.Rollback != pipelines.RollbackNever {
		out.WayBack = plan.Removed
		if specs.era, err = eraOf(ctx, c.Records, c.Part, c.Part.Run); err != nil {
			return out, set, err
		}
	}
	out.Notes = specs.notes
	if !c.Part.Back {
		if set.Left, err = c.leftOver(ctx, specs); err != nil {
			return out, set, err
		}
		noteLeftOver(&out, set.Left, c.Plan.Prune)
		if c.Plan.Prune {
			for _, name := range set.Left {
				beside(&out, plan.NamespaceOf(name))
			}
		}
	}
	d := comparison{Comparer: c, specs: specs, out: &out, set: &set}
	err = d.compare(ctx)
	return out, set, err
}

// comparison is one comparison under way.
type comparison struct {
	Comparer
	specs   specs
	out     *plan.ClusterDiff
	set     *Set
	digests []string
	text    strings.Builder
}

func (d *comparison) compare(ctx context.Context) error {
	for _, phase := range d.specs.phases {
		for _, o := range phase.Objects {
			if err := d.object(ctx, phase.Name, o); err != nil {
				return err
			}
		}
	}
	for _, name := range d.specs.unknown {
		d.refuse(api.RuleUnknown, name,
			"nothing is known of what it was before the run, so it cannot go back, and what its pods need stays with it")
	}
	if err := d.leftBehind(ctx); err != nil {
		return err
	}
	d.blindChecks()
	return d.keepText(ctx)
}

func (d *comparison) object(ctx context.Context, phase templates.PhaseName, target *unstructured.Unstructured) error {
	id, name := templates.ID(target), templates.Name(target)
	_, err := d.Cluster.Mapping(ctx, target.GroupVersionKind())
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Invalid {
		if !d.specs.brings(target.GroupVersionKind()) {
			d.refuse(api.RuleServed, name, err.Error())
			return nil
		}
		return d.add(ctx, phase, target, nil, patch.Change{Object: name, Action: patch.Create, Result: target})
	}
	live, err := get(ctx, d.Cluster, target)
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
	if live != nil && d.Part.Back && slices.Contains(keptKinds, target.GetKind()) {
		return nil // a schema is never narrowed, and what is stored is never given up
	}
	options, err := d.options(phase, target)
	if err != nil {
		d.refuse(api.RuleDriver, name, err.Error())
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
func (d *comparison) foundWorkload(
	ctx context.Context, phase templates.PhaseName, target, live *unstructured.Unstructured, f foundWorkload,
) error {
	if live == nil || string(live.GetUID()) != f.before.UID {
		d.out.Notes = append(d.out.Notes, kept(templates.Name(target), staysOther).String())
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
func (d *comparison) options(phase templates.PhaseName, target *unstructured.Unstructured) (patch.Options, error) {
	id := templates.ID(target)
	o := patch.Options{
		Component: d.Plan.Subject.String(), Ignore: d.Plan.Ignore, Drift: d.Plan.Drift, Exceptions: d.Plan.Exceptions,
		Intents: d.specs.intents[id], ReachesAtOnce: d.specs.reaches[templates.Name(target)], Previous: d.specs.previous(target),
	}
	if d.Part.Back {
		o.Drift = pipelines.DriftOverwrite
	}
	if phase != templates.Workloads {
		return o, nil
	}
	driver, err := d.Drivers(target.GroupVersionKind().GroupKind())
	if err != nil {
		return o, err
	}
	o.Leave = driver.Holds()
	return o, nil
}

// costs are the rules that a workload breaks where its pods move.
func (d *comparison) costs(target, live *unstructured.Unstructured) ([]patch.Cost, error) {
	found, err := drivers.Costs(workload.Spec{Target: target, WayBack: d.specs.recorded[templates.ID(target)]}, live)
	var costs []patch.Cost
	for _, c := range found {
		costs = append(costs, patch.Cost{Rule: c.Rule, Why: c.Why})
	}
	return costs, err
}

// add takes a compared object into the set.
func (d *comparison) add(
	ctx context.Context, phase templates.PhaseName, target, live *unstructured.Unstructured, found patch.Change,
) error {
	id := templates.ID(target)
	o := Object{
		Name: found.Object, Phase: phase, Action: found.Action, Patch: found.Patch, PatchType: found.PatchType,
		LiveVersion: found.LiveVersion, Rendered: target.Object,
	}
	if before := d.specs.recorded[id]; before != nil {
		o.Recorded = before.Object
	}
	_, o.Found = d.specs.found[id]
	if live != nil {
		o.LiveGeneration = live.GetGeneration()
		if phase == templates.Workloads {
			o.Seen = live.Object
		}
		_, o.Held = live.GetAnnotations()[workload.HeldAnnotation]
	}
	d.note(found)
	var err error
	if o.Moves() {
		o.Behind, err = d.divide(ctx, o, live, found.Result)
	}
	d.set.Objects = append(d.set.Objects, o)
	return err
}

// leftBehind looks at recorded objects that are not rendered any more. They are left alone, but an edit of one by hand
// is drift all the same: it is what a way back would return to.
func (d *comparison) leftBehind(ctx context.Context) error {
	for _, o := range d.specs.gone {
		live, err := get(ctx, d.Cluster, o)
		if err != nil {
			return err
		}
		if live == nil || o.GetAnnotations()[templates.GeneratedAnnotation] == "" {
			beside(d.out, o.GetNamespace())
		}
		if live == nil {
			continue
		}
		found, err := patch.Compute(patch.Triple{Recorded: o, Live: live}, patch.Options{
			Component: d.Plan.Subject.String(), Ignore: d.Plan.Ignore, Drift: d.Plan.Drift, Exceptions: d.Plan.Exceptions,
			Intents: d.specs.intents[templates.ID(o)],
		})
		if err != nil {
			return err
		}
		d.note(found)
	}
	return nil
}

// beside notes the namespace of something that is not among the objects of a cluster.
func beside(out *plan.ClusterDiff, namespace string) {
	if !slices.Contains(out.Beside, namespace) {
		out.Beside = append(out.Beside, namespace)
	}
}

// keepText keeps the difference for people, and its digest.
func (d *comparison) keepText(ctx context.Context) (err error) {
	if len(d.digests) == 0 {
		return nil
	}
	d.out.Diff = ledger.Digest([]byte(strings.Join(d.digests, "\n")))
	text, err := d.Records.PutBlob(ctx, []byte(d.text.String()))
	if err == nil {
		d.out.Text = text
	}
	return err
}
