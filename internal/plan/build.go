package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Format is the version of a plan's shape.
const Format = 1

// Input is what a plan is made of. Nothing else decides what comes out.
type Input struct {
	Documents *pipelines.Documents
	Pipeline  *pipelines.Pipeline
	Component *pipelines.Component
	Params    []pipelines.ParamValue // given by the caller; the rest take their defaults
	Template  string                 // blob digest of the packed template
	// Values returns the blob digest of the merged values of a unit. It is asked once for each unit, in plan order.
	Values  func(pipelines.Place) (string, error)
	WayBack map[string]WayBack // by cluster; without one it goes back to what is found
	Only    Only               // what the run is narrowed to
	Exclude Only               // what of that is left out
	Passed  map[string]string  // by cluster: the target that has passed its stage there, and is there still
	Seen    map[string]Sighted // by cluster: what its agent says of it
	Reason  string             // why stages are bypassed, where any is
}

// Build resolves a pipeline for a component version on a fleet. Equal inputs give equal plans, whatever the order of maps,
// files and documents was. A stage that selects nothing, and does not say that it may, is fault.Refused: behind a misspelt
// selector the next stage would follow at once, without the checks and approvals of this one. Other errors are
// fault.Invalid, or what Values returned.
func Build(in Input) (*Plan, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	b, err := newBuilder(in)
	if err != nil {
		return nil, err
	}
	p, err := b.head()
	if err != nil {
		return nil, err
	}
	if p.Checks, err = in.Documents.ResolveRunChecks(in.Pipeline, p.Params); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot plan pipeline %s", in.Pipeline.Metadata.Name)
	}
	for i := range in.Pipeline.Spec.Stages {
		s, err := b.stage(p, &in.Pipeline.Spec.Stages[i])
		if err != nil {
			return nil, fault.Wrap(fault.CodeOf(err), err, "cannot plan stage %s of pipeline %s",
				in.Pipeline.Spec.Stages[i].Name, in.Pipeline.Metadata.Name)
		}
		p.Stages = append(p.Stages, s)
	}
	if most := in.Pipeline.Spec.MaxFailures; most != nil {
		p.MaxFailures = new(most.BudgetOf(p.Units()))
	}
	if err := b.checkSomething(p); err != nil {
		return nil, err
	}
	if p.Tasks, err = b.tasks(p); err != nil {
		return nil, err
	}
	if err := cmp.Or(b.bindMetrics(p.Checks, groupsOf(p)), b.bindTasks(p)); err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), err, "cannot plan pipeline %s", in.Pipeline.Metadata.Name)
	}
	if err := b.checkEmpty(p); err != nil {
		return nil, err
	}
	p.Bypasses = b.bypasses(p, in.Reason)
	p.Notes = b.notes(p)
	return p, nil
}

func (in *Input) check() error {
	switch {
	case in.Documents == nil, in.Pipeline == nil, in.Component == nil, in.Values == nil:
		return fault.New(fault.Internal, "cannot plan: documents, pipeline, component and values are all needed")
	case in.Template == "":
		return fault.New(fault.Invalid, "cannot plan component %s: its template has no digest", in.Component.Metadata.Name)
	case len(in.Pipeline.Spec.Stages) == 0:
		return fault.New(fault.Invalid, "cannot plan with pipeline %s: it has no stages", in.Pipeline.Metadata.Name)
	}
	return nil
}

// builder resolves stages one after another; what an earlier one took is not there for a later one.
type builder struct {
	in     Input
	fleet  *fleet
	spec   pipelines.FleetSpec
	scorer *scorer
	class  pipelines.Risk
	taken  map[string]string // cluster -> stage that took it, whether or not the run is narrowed to it
	groups map[string]int    // cluster group -> clusters taken so far
	empty  []bool            // by stage: whether it selects nothing, whatever the run is narrowed to
	labels *pipelines.Labels
}

func newBuilder(in Input) (*builder, error) {
	f, err := newFleet(in.Documents)
	if err != nil {
		return nil, err
	}
	b := &builder{
		in: in, fleet: f, class: cmp.Or(in.Component.Spec.Risk, pipelines.Medium), labels: in.Documents.Labels(),
		taken: map[string]string{}, groups: map[string]int{},
	}
	for _, n := range in.narrowings() {
		if err := n.known(b); err != nil {
			return nil, err
		}
	}
	b.spec = pipelines.DefaultFleet().Spec
	if in.Documents.Fleet != nil {
		b.spec = in.Documents.Fleet.Spec
	}
	if b.scorer, err = newScorer(b.spec, b.class, b.in.Seen); err != nil {
		return nil, err
	}
	return b, nil
}

func sourceOf(in Input) Source {
	spec := in.Component.Spec
	s := Source{
		Kind:          "chart",
		Template:      in.Template,
		Namespace:     cmp.Or(spec.Namespace, in.Component.Metadata.Name),
		SkipHooks:     spec.Hooks == pipelines.SkipHooks,
		WorkloadOrder: spec.WorkloadOrder,
	}
	switch {
	case spec.Template.Manifests != "":
		s.Kind = "manifests"
	case spec.Template.Probes != "":
		s.Kind = KindProbes
	}
	return s
}

// head fills what holds for the whole plan.
func (b *builder) head() (*Plan, error) {
	component, pipeline := b.in.Component, b.in.Pipeline
	params, err := resolveParams(pipeline.Spec.Params, b.in.Params)
	if err != nil {
		return nil, err
	}
	digest, err := componentDigest(component, b.in.Template)
	if err != nil {
		return nil, err
	}
	return &Plan{
		Format:     Format,
		Subject:    api.Component(component.Metadata.Name),
		Version:    component.Spec.Version,
		Digest:     digest,
		Pipeline:   pipeline.Metadata.Name,
		Params:     params,
		Source:     sourceOf(b.in),
		Risk:       b.class,
		OnFailure:  cmp.Or(pipeline.Spec.OnFailure, pipelines.Pause),
		Rollback:   cmp.Or(component.Spec.Rollback, pipelines.RollbackAuto),
		Drift:      cmp.Or(component.Spec.Drift, pipelines.DriftRefuse),
		Ignore:     component.Spec.Ignore,
		Prune:      component.Spec.Prune,
		Exceptions: slices.Concat(pipeline.Spec.Exceptions, component.Spec.Exceptions),
	}, nil
}

// checkSomething refuses a plan that moves nothing, and a narrowing that names what no stage takes.
func (b *builder) checkSomething(p *Plan) error {
	var reasons []string
	for i := range p.Stages {
		if p.Stages[i].Skipped == "" {
			reasons = nil
			break
		}
		reasons = append(reasons, "stage "+p.Stages[i].Name+" "+p.Stages[i].Skipped)
	}
	if len(reasons) > 0 {
		return fault.New(fault.Invalid, "cannot plan %s with pipeline %s: no stage has a unit: %s",
			p.Subject, p.Pipeline, strings.Join(reasons, "; "))
	}
	for _, n := range b.in.narrowings() {
		if err := n.taken(b, p.Pipeline); err != nil {
			return err
		}
	}
	return nil
}

// notes tells what is allowed and still worth a second look.
func (b *builder) notes(p *Plan) []string {
	notes := append(b.environmentNotes(p), asked(p)...)
	if narrowing := b.in.narrowing(); narrowing != "" {
		notes = append(notes, narrowing)
	}
	if p.Rollback == pipelines.RollbackNever {
		return append(notes, fmt.Sprintf("no way back: component %s says rollback: Never", p.Subject))
	}
	none, total := 0, 0
	for i := range p.Stages {
		for j := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[j].Units {
				total++
				if !p.Stages[i].Groups[j].Units[k].WayBack.Exists() {
					none++
				}
			}
		}
	}
	if none > 0 {
		notes = append(notes, fmt.Sprintf("nothing was recorded before in %d of %s: they go back to what is found there",
			none, count(total, "cluster")))
	}
	return notes
}

// environmentNotes compares the order of stages with the fleet's order of environments.
func (b *builder) environmentNotes(p *Plan) []string {
	var notes []string
	latest, latestStage := -1, ""
	for i := range p.Stages {
		first, last := len(b.spec.Environments), -1
		for j := range p.Stages[i].Groups {
			for k := range p.Stages[i].Groups[j].Units {
				at := slices.Index(b.spec.Environments, p.Stages[i].Groups[j].Units[k].Environment)
				if at < 0 {
					continue
				}
				first, last = min(first, at), max(last, at)
			}
		}
		if last >= 0 && first < latest {
			notes = append(notes, fmt.Sprintf("stage %s moves %s after stage %s has moved %s, which the fleet lists later",
				p.Stages[i].Name, b.spec.Environments[first], latestStage, b.spec.Environments[latest]))
		}
		if last > latest {
			latest, latestStage = last, p.Stages[i].Name
		}
	}
	return notes
}

// count writes a number with its noun: "1 cluster", "2 clusters".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
