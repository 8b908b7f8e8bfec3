package run

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// stagePart opens the workflows of as many clusters as one workflow may hold, as its run says, hands orders on to them, and
// tells the run what becomes of them. Which cluster starts when, budgets, failures and commands are the run's.
type stagePart struct {
	in     tell.PartInput
	units  map[string]*unitRun // open, by cluster; only looked up
	looks  map[string]*lookRun // open, by cluster; only looked up
	open   int                 // of both
	news   []tell.News
	began  time.Time
	sent   time.Time // when the run was told last
	sends  bool      // it is being told
	isOver bool
}

// StagePart is a part of a stage.
func StagePart(ctx workflow.Context, in tell.PartInput) error {
	shape.Of(ctx) // later code may ask
	p := &stagePart{in: in, units: map[string]*unitRun{}, looks: map[string]*lookRun{}, began: workflow.Now(ctx)}
	return p.run(ctx)
}

// run serves the run until that says that nothing more is to come. Where the run was terminated, every unit is cancelled: it
// stops and disarms.
func (p *stagePart) run(outer workflow.Context) error {
	ctx, done := workflow.NewDisconnectedContext(outer)
	defer done()
	wants, says := "what the run wants of its clusters", "a unit says where it is"
	errands := workflow.GetSignalChannelWithOptions(ctx, tell.SignalErrands, workflow.SignalChannelOptions{Description: wants})
	reports := workflow.GetSignalChannelWithOptions(ctx, tell.SignalReport, workflow.SignalChannelOptions{Description: says})
	workflow.GoNamed(ctx, "errands", func(ctx workflow.Context) {
		for {
			var all []tell.Errand
			errands.Receive(ctx, &all)
			for _, e := range all {
				p.do(ctx, outer, e)
			}
			p.show(ctx)
		}
	})
	workflow.GoNamed(ctx, "reports", func(ctx workflow.Context) {
		for {
			var rep tell.Report
			reports.Receive(ctx, &rep)
			if u := p.units[rep.Cluster]; rep.Look && p.looks[rep.Cluster] != nil || u != nil && (u.run == "" || u.run == rep.Execution) {
				p.say(tell.News{Report: rep})
			}
		}
	})
	workflow.GoNamed(ctx, "news", p.tellRun)
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		outer.Done().Receive(ctx, nil)
		p.isOver = true
	})
	if err := workflow.Await(ctx, func() bool { return p.isOver && p.open == 0 && len(p.news) == 0 && !p.sends }); err != nil {
		return err
	}
	return outer.Err()
}

// do does one errand. Units and looks live in outer, so that cancelling the part cancels them.
func (p *stagePart) do(ctx, outer workflow.Context, e tell.Errand) {
	switch {
	case e.Start != nil:
		u := &unitRun{id: api.UnitWorkflowID(e.Start.Path, e.Start.Subject), cluster: e.Start.Cluster, back: e.Start.Back, paced: e.Start.Back}
		p.units[u.cluster] = u
		p.open++
		workflow.GoNamed(outer, e.Start.Path, func(ctx workflow.Context) {
			end := p.follow(ctx, *e.Start, u)
			end.Cluster = u.cluster
			delete(p.units, u.cluster)
			p.open--
			p.say(end)
			p.show(ctx)
		})
	case e.Look != nil:
		ctx, cancel := workflow.WithCancel(outer)
		look := &lookRun{id: api.LookWorkflowID(e.Look.Path, p.in.Subject), stop: cancel}
		p.looks[e.Look.Cluster] = look
		p.open++
		workflow.GoNamed(ctx, "look at "+e.Look.Path, func(ctx workflow.Context) {
			end := tell.News{Report: tell.Report{Cluster: e.Look.Cluster, Look: true}}
			found, err := lookChild(ctx, p.in.Title, *e.Look, look.begins)
			if end.Found = &found; err != nil {
				end.Found, end.Crash = nil, ask.MessageOf(err)
			}
			cancel()
			delete(p.looks, e.Look.Cluster)
			p.open--
			p.say(end)
		})
	case e.Tell != nil:
		p.tell(ctx, *e.Tell)
	case e.Unlook != "":
		if look := p.looks[e.Unlook]; look != nil {
			look.stop()
		}
	case e.Over:
		p.isOver = true
	}
}

// follow runs a unit's workflow to its end.
func (p *stagePart) follow(ctx workflow.Context, in tell.ClusterInput, u *unitRun) tell.News {
	locked := false
	end, err := u.follow(workflow.WithChildOptions(ctx, unitOptions(ctx, p.in.Title, in)), holder{
		input: func() tell.ClusterInput { return in },
		begun: func(workflow.Context) {
			if locked {
				p.say(tell.News{Report: tell.Report{Cluster: in.Cluster, Phase: api.PhaseWaiting}})
			}
		},
		locked: func(ctx workflow.Context) {
			locked = true
			p.say(tell.News{Report: tell.Report{Cluster: in.Cluster, Phase: api.PhaseLocked, Waiting: lockedBy(ctx, u.id)}})
		},
		unwanted: u.unwanted,
	})
	switch {
	case err == nil:
		return tell.News{End: &end}
	case errors.Is(err, errGaveUp):
		return tell.News{GaveUp: true}
	}
	return tell.News{Crash: err.Error()}
}

// tell hands an order on. One whose workflow has not started yet gets it once it has.
func (p *stagePart) tell(ctx workflow.Context, t tell.Telling) {
	for _, c := range t.Clusters {
		u, look := p.units[c], p.looks[c]
		switch {
		case look != nil:
			look.tell(ctx, t.Order)
		case u == nil: // it has just ended, and that says all there is
		case u.hears:
			workflow.SignalExternalWorkflow(ctx, u.id, "", tell.SignalOrder, t.Order)
		default:
			u.owed = append(u.owed, t.Order)
		}
	}
}

func (p *stagePart) say(n tell.News) { p.news = append(p.news, n) }

// tellRun tells the run what there is to tell.
func (p *stagePart) tellRun(ctx workflow.Context) {
	pressing := func() bool { return slices.ContainsFunc(p.news, tell.News.Pressing) }
	for {
		if workflow.Await(ctx, func() bool { return len(p.news) > 0 }) != nil {
			return
		}
		now := workflow.Now(ctx)
		calm := max(pace.Tuned().CalmEvery, now.Sub(p.began)/pace.Tuned().CalmFraction)
		if wait := calm - now.Sub(p.sent); wait > 0 && !pressing() {
			_, _ = workflow.AwaitWithTimeout(ctx, pace.WholeSeconds(wait), pressing)
		}
		if wait := pace.Tuned().NewsEvery - workflow.Now(ctx).Sub(p.sent); wait > 0 {
			_ = workflow.Sleep(ctx, pace.WholeSeconds(wait))
		}
		p.sent, p.sends = workflow.Now(ctx), true
		for len(p.news) > 0 {
			few := p.news[:min(pace.Tuned().NewsAtOnce, len(p.news))]
			p.news = p.news[len(few):]
			_ = workflow.SignalExternalWorkflow(ctx, p.in.Parent, "", tell.SignalNews, few).Get(ctx, nil)
		}
		p.sends = false
	}
}

func (p *stagePart) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Part of stage **%s** of %s: %s open. Where they are is in the details of the run.",
		p.in.Stage, p.in.Run, api.Counted(p.open, "cluster")))
}
