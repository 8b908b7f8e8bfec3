package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// PartInput starts a part of a stage that is too big for its run to hold every cluster of it.
type PartInput struct {
	subject
	Run    string `json:"run"`
	Plan   string `json:"plan"`
	Stage  string `json:"stage"`
	Parent string `json:"parent"` // workflow ID of the run
}

// errand is one thing that a run has a part do. They come in the order in which the run wants them.
type errand struct {
	Start  *ClusterInput `json:"start,omitempty"`
	Look   *LookInput    `json:"look,omitempty"`
	Unlook string        `json:"unlook,omitempty"` // cluster whose looks are to end
	Tell   *telling      `json:"tell,omitempty"`
	Over   bool          `json:"over,omitempty"` // nothing more is to come
}

// telling is an order to several units.
type telling struct {
	Clusters []string `json:"clusters"`
	Order    order    `json:"order"`
}

// news is what a part tells its run of one cluster: a report, or an end. Of a unit that is its status, that its workflow
// crashed, or that it was ended while it waited for another run's; of looks what they found, or why they could not.
type news struct {
	report
	End    *api.UnitStatus `json:"end,omitempty"`
	GaveUp bool            `json:"gaveUp,omitempty"`
	Crash  string          `json:"crash,omitempty"`
	Found  *Finding        `json:"found,omitempty"`
}

// ends reports whether something of the cluster has ended.
func (n news) ends() bool { return n.End != nil || n.GaveUp || n.Crash != "" || n.Found != nil }

// pressing reports whether the run decides something by it.
func (n news) pressing() bool {
	return n.ends() || n.Look || n.Phase.Stands() || n.Phase == api.PhaseUnreachable || n.Phase == api.PhaseRollingBack
}

// stagePart opens the workflows of up to maxChildren clusters as its run says, hands orders on to them, and tells the run what
// becomes of them. Which cluster starts when, budgets, failures and commands are the run's.
type stagePart struct {
	in     PartInput
	units  map[string]*unitRun            // open, by cluster; only looked up
	looks  map[string]workflow.CancelFunc // open, by cluster; only looked up
	open   int                            // of both
	news   []news
	began  time.Time
	sent   time.Time // when the run was told last
	sends  bool      // it is being told
	isOver bool
}

// StagePart is a part of a stage.
func StagePart(ctx workflow.Context, in PartInput) error {
	shapeOf(ctx) // later code may ask
	p := &stagePart{in: in, units: map[string]*unitRun{}, looks: map[string]workflow.CancelFunc{}, began: workflow.Now(ctx)}
	return p.run(ctx)
}

// run serves the run until that says that nothing more is to come. Where the run was terminated, every unit is cancelled: it
// stops and disarms.
func (p *stagePart) run(outer workflow.Context) error {
	ctx, done := workflow.NewDisconnectedContext(outer)
	defer done()
	wants, says := "what the run wants of its clusters", "a unit says where it is"
	errands := workflow.GetSignalChannelWithOptions(ctx, signalErrands, workflow.SignalChannelOptions{Description: wants})
	reports := workflow.GetSignalChannelWithOptions(ctx, signalReport, workflow.SignalChannelOptions{Description: says})
	workflow.GoNamed(ctx, "errands", func(ctx workflow.Context) {
		for {
			var all []errand
			errands.Receive(ctx, &all)
			for _, e := range all {
				p.do(ctx, outer, e)
			}
			p.show(ctx)
		}
	})
	workflow.GoNamed(ctx, "reports", func(ctx workflow.Context) {
		for {
			var rep report
			reports.Receive(ctx, &rep)
			if u := p.units[rep.Cluster]; rep.Look && p.looks[rep.Cluster] != nil || u != nil && (u.run == "" || u.run == rep.Execution) {
				p.say(news{report: rep})
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
func (p *stagePart) do(ctx, outer workflow.Context, e errand) {
	switch {
	case e.Start != nil:
		u := &unitRun{id: api.UnitWorkflowID(e.Start.Path, e.Start.Component), cluster: e.Start.Cluster, back: e.Start.Back, paced: e.Start.Back}
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
		p.looks[e.Look.Cluster] = cancel
		p.open++
		workflow.GoNamed(ctx, "look at "+e.Look.Path, func(ctx workflow.Context) {
			end := news{report: report{Cluster: e.Look.Cluster, Look: true}}
			found, err := lookChild(ctx, p.in.subject, *e.Look, func(string) {})
			if end.Found = &found; err != nil {
				end.Found, end.Crash = nil, messageOf(err)
			}
			cancel()
			delete(p.looks, e.Look.Cluster)
			p.open--
			p.say(end)
		})
	case e.Tell != nil:
		p.tell(ctx, *e.Tell)
	case e.Unlook != "":
		if cancel := p.looks[e.Unlook]; cancel != nil {
			cancel()
		}
	case e.Over:
		p.isOver = true
	}
}

// follow runs a unit's workflow to its end. A unit that another run holds is asked for again until it is free.
func (p *stagePart) follow(ctx workflow.Context, in ClusterInput, u *unitRun) news {
	locked := false
	for {
		child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, unitOptions(ctx, p.in.subject, in)), api.ClusterRolloutName, in)
		var end api.UnitStatus
		var begun workflow.Execution
		err := child.GetChildWorkflowExecution().Get(ctx, &begun)
		if err == nil {
			u.run = begun.RunID
			if locked {
				p.say(news{report: report{Cluster: in.Cluster, Phase: api.PhaseWaiting}})
			}
			u.tellOwed(ctx)
			err = child.Get(ctx, &end)
		}
		if err == nil || api.Ended(err, &end) {
			return news{End: &end}
		}

		if !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return news{Crash: err.Error()}
		}
		locked = true
		p.say(news{report: report{Cluster: in.Cluster, Phase: api.PhaseLocked, Waiting: lockedBy(ctx, u.id)}})
		if !p.unlocked(ctx, u) {
			return news{GaveUp: true}
		}
	}
}

// unlocked waits until the workflow that holds a unit has closed; false where the run ends before that.
func (p *stagePart) unlocked(ctx workflow.Context, u *unitRun) bool {
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	return freed(ctx, u.id, u.unwanted)
}

// unwanted reports whether a unit that has not started was told to end.
func (u *unitRun) unwanted() bool {
	return slices.ContainsFunc(u.owed, func(o order) bool {
		return o.Kind == orderAbort || !u.back && (o.Kind == orderRollback || o.Kind == orderStop)
	})
}

// tell hands an order on. One whose workflow has not started yet gets it once it has.
func (p *stagePart) tell(ctx workflow.Context, t telling) {
	for _, c := range t.Clusters {
		u := p.units[c]
		switch {
		case u == nil: // it has just ended, and that says all there is
		case u.hears:
			workflow.SignalExternalWorkflow(ctx, u.id, "", signalOrder, t.Order)
		default:
			u.owed = append(u.owed, t.Order)
		}
	}
}

func (p *stagePart) say(n news) { p.news = append(p.news, n) }

// tellRun tells the run what there is to tell.
func (p *stagePart) tellRun(ctx workflow.Context) {
	pressing := func() bool { return slices.ContainsFunc(p.news, news.pressing) }
	for {
		if workflow.Await(ctx, func() bool { return len(p.news) > 0 }) != nil {
			return
		}
		now := workflow.Now(ctx)
		calm := max(tuned().CalmEvery, now.Sub(p.began)/tuned().CalmFraction)
		if wait := calm - now.Sub(p.sent); wait > 0 && !pressing() {
			_, _ = workflow.AwaitWithTimeout(ctx, wholeSeconds(wait), pressing)
		}
		if wait := tuned().NewsEvery - workflow.Now(ctx).Sub(p.sent); wait > 0 {
			_ = workflow.Sleep(ctx, wholeSeconds(wait))
		}
		p.sent, p.sends = workflow.Now(ctx), true
		for len(p.news) > 0 {
			few := p.news[:min(tuned().NewsAtOnce, len(p.news))]
			p.news = p.news[len(few):]
			_ = workflow.SignalExternalWorkflow(ctx, p.in.Parent, "", signalNews, few).Get(ctx, nil)
		}
		p.sends = false
	}
}

func (p *stagePart) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Part of stage **%s** of %s: %s open. Where they are is in the details of the run.",
		p.in.Stage, p.in.Run, api.Counted(p.open, "cluster")))
}
