package run

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// part is a workflow that holds a part of a stage for the run.
type part struct {
	id      string
	errands []tell.Errand // that it has not heard yet
	open    int           // units and looks of it
	closed  bool
}

// partOf returns the part that holds a cluster of a stage, and opens it where it is not; nil where the run holds the stage's
// clusters itself.
func (r *rollout) partOf(ctx workflow.Context, stage, cluster string) *part {
	if r.shape < shape.StagesInParts {
		return nil
	}
	s := r.stageOf(stage)
	if s.Units() <= pace.Tuned().DirectUnits {
		return nil
	}
	n := 0
	for _, g := range s.Groups {
		for _, u := range g.Units {
			if u.Cluster == cluster {
				return r.openPart(ctx, s, n/pace.Tuned().MaxChildren)
			}
			n++
		}
	}
	return nil
}

// openPart returns a part of a stage, and opens its workflow where it is not.
func (r *rollout) openPart(ctx workflow.Context, s *step.RunStage, n int) *part {
	id := fmt.Sprintf("%s/%s/%d", r.in.Run, s.Name, n+1)
	if i := slices.IndexFunc(r.parts, func(p *part) bool { return p.id == id }); i >= 0 {
		return r.parts[i]
	}
	p := &part{id: id}
	r.parts = append(r.parts, p)
	parent := workflow.GetInfo(ctx).WorkflowExecution.ID
	in := tell.PartInput{Title: r.subject(), Run: r.in.Run, Plan: r.in.Plan, Stage: s.Name, Parent: parent}
	summary := fmt.Sprintf("part %d of stage %s", n+1, s.Name)
	ctx = workflow.WithChildOptions(ctx, childOptions(ctx, id, summary, in.Title, in.Plan, in.Stage))
	workflow.GoNamed(ctx, id, func(ctx workflow.Context) {
		child := workflow.ExecuteChildWorkflow(ctx, api.StagePartName, in)
		err := child.GetChildWorkflowExecution().Get(ctx, nil)
		if err == nil {
			workflow.GoNamed(ctx, id+" errands", func(ctx workflow.Context) { p.send(ctx) })
			err = child.Get(ctx, nil)
		}
		p.closed = true
		r.parts = slices.DeleteFunc(r.parts, func(q *part) bool { return q == p })
		r.lose(ctx, p, err)
		r.inTurn++
	})
	return p
}

// send tells the part what there is to do, in order.
func (p *part) send(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, func() bool { return len(p.errands) > 0 || p.closed }) != nil || p.closed {
			return
		}
		few := p.errands[:min(pace.Tuned().ErrandsAtOnce, len(p.errands))]
		p.errands = p.errands[len(few):]
		_ = workflow.SignalExternalWorkflow(ctx, p.id, "", tell.SignalErrands, few).Get(ctx, nil)
	}
}

func (p *part) post(e tell.Errand) { p.errands = append(p.errands, e) }

// tell has the part hand an order on, together with what it was told just before where that is the same.
func (p *part) tell(cluster string, o tell.Order) {
	if n := len(p.errands); n > 0 {
		if last := p.errands[n-1].Tell; last != nil && last.Order == o {
			last.Clusters = append(last.Clusters, cluster)
			return
		}
	}
	p.post(tell.Errand{Tell: &tell.Telling{Clusters: []string{cluster}, Order: o}})
}

// dismiss ends the parts that have nothing open, and waits until they have ended.
func (r *rollout) dismiss(ctx workflow.Context) {
	var over []*part
	for _, p := range r.parts {
		if p.open == 0 {
			p.post(tell.Errand{Over: true})
			over = append(over, p)
		}
	}
	if len(over) > 0 {
		_ = workflow.Await(ctx, func() bool { return !slices.ContainsFunc(over, func(p *part) bool { return !p.closed }) })
	}
}

// lose settles what a part had open when it closed: somebody has terminated it, since it closes only with nothing open.
func (r *rollout) lose(ctx workflow.Context, p *part, err error) {
	if err == nil {
		return
	}
	for _, u := range r.openUnits() {
		if u.part == p {
			r.ended(ctx, u, r.crashed(ctx, u.cluster, err.Error()))
		}
	}
	for _, st := range r.state.Status.Stages {
		for _, u := range st.Units {
			if look := r.looks[u.Cluster]; look != nil && look.part == p {
				look.end, look.err = true, err
			}
		}
	}
}

// learn takes what a part tells, all at once.
func (r *rollout) learn(ctx workflow.Context, all []tell.News) {
	r.hushed = true
	for _, n := range all {
		r.learnOf(ctx, n)
	}
	r.hushed = false
	r.refresh(ctx)
}

func (r *rollout) learnOf(ctx workflow.Context, n tell.News) {
	if look := r.looks[n.Cluster]; n.Look && n.Ends() {
		if look != nil {
			look.found, look.end = n.Found, true
			if n.Crash != "" {
				look.err = fmt.Errorf("%s", n.Crash)
			}
		}
		return
	}
	u := r.open[n.Cluster]
	switch {
	case u == nil || !n.Ends():
		r.heed(ctx, n.Report)
	case n.End != nil:
		r.ended(ctx, u, *n.End)
	case n.GaveUp:
		r.ended(ctx, u, u.gaveUp(*r.unit(n.Cluster)))
	default:
		r.ended(ctx, u, r.crashed(ctx, n.Cluster, n.Crash))
	}
}

// spare shortens what a unit of a big run says.
func (r *rollout) spare(u *api.UnitStatus) {
	most := max(150, pace.Tuned().SaidOfUnits/max(1, len(r.at)))
	for _, c := range []**api.Check{&u.Failure, &u.Cause} {
		if *c != nil && len((*c).Message) > most {
			short := **c
			short.Message = clip.Bytes(short.Message, most)
			*c = &short
		}
	}
	if u.Waiting != nil {
		for i := range u.Waiting.Unmet {
			u.Waiting.Unmet[i] = clip.Bytes(u.Waiting.Unmet[i], most)
		}
	}
}

func (r *rollout) subject() tell.Title {
	return tell.Title{Subject: r.plan.Subject, Version: r.plan.Version, Pipeline: r.plan.Pipeline}
}
