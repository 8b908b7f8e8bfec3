package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// LookInput asks for looks at a unit that has arrived, while its group or stage soaks.
type LookInput struct {
	step.Ref
	Path   string        `json:"path"`
	Site   string        `json:"site,omitempty"`
	Stage  string        `json:"stage"`
	Group  string        `json:"group"`
	What   string        `json:"what"`   // soaks: "stage production"
	Record string        `json:"record"` // blob digest of the unit's step.UnitRecord
	Until  time.Time     `json:"until"`
	Quiet  time.Duration `json:"quiet"`  // of the whole soak
	Parent string        `json:"parent"` // workflow ID of whom it reports to
}

// Finding is what ended the looks before their time was over; nothing is set where it was.
type Finding struct {
	Check      *api.Check `json:"check,omitempty"`      // did not pass
	Superseded string     `json:"superseded,omitempty"` // the run that moves the unit now
}

// looking is what looks at one unit. It has no Lease and writes nothing in the cluster, so that the next run there need not wait
// for it: it tells the looks to end. The heartbeats of a soak go to one such workflow for each cluster, and none to the run,
// which has to answer commands.
type looking struct {
	in         LookInput
	orders     workflow.ReceiveChannel
	superseded string
	misses     int
	reports    int
}

// Look looks at a unit until its time is over, a check does not pass, or another run moves it. It waits for a cluster that is
// out of reach.
func Look(ctx workflow.Context, in LookInput) (Finding, error) {
	shapeOf(ctx) // later code may ask
	says := workflow.SignalChannelOptions{Description: "another run moves the unit now"}
	l := &looking{in: in, orders: workflow.GetSignalChannelWithOptions(ctx, signalOrder, says)}
	return l.run(ctx)
}

func (l *looking) run(ctx workflow.Context) (Finding, error) {
	until := l.in.Until
	for {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return Finding{}, nil
		}
		l.show(ctx, api.PhaseSoaking, &api.Waiting{Kind: "soak", Name: l.in.What, Since: workflow.Now(ctx).UTC(), Until: until.UTC()})
		seen, err := l.observe(ctx, left)
		bad, held := api.FirstBad(seen.Checks)
		switch {
		case l.superseded != "":
			return Finding{Superseded: l.superseded}, nil
		case ctx.Err() != nil:
			return Finding{}, ctx.Err()
		case codeOf(err) == fault.Unreachable:
			if err := l.await(ctx, err); err != nil {
				return Finding{Superseded: l.superseded}, err
			}
			if l.superseded != "" {
				return Finding{Superseded: l.superseded}, nil
			}
		case err != nil:
			return Finding{Check: &api.Check{Name: "watch during soak", Verdict: api.Error, Message: messageOf(err)}}, nil
		case held:
			bad.Message = clip(bad.Message, maxMessage)
			return Finding{Check: &bad}, nil // with what it saw: the unit's own record does not have it
		default:
			return Finding{}, nil
		}
		until = lookAgain(ctx, until, l.in.Quiet)
	}
}

// observe looks for a time. It does not wait for an activity that is to end: that changes nothing, and hears it by itself.
func (l *looking) observe(ctx workflow.Context, left time.Duration) (seen api.Facts, err error) {
	req := step.ObserveRequest{Ref: l.in.Ref, For: left, Record: l.in.Record}
	looked := ask(step.Observe, "look at "+l.in.Path+" while "+l.in.What+" soaks", req).near(l.in.Site).start(ctx)
	if err := l.until(ctx, looked.ready); err != nil || l.superseded != "" {
		return seen, err
	}
	return looked.get(ctx)
}

// until waits for an activity, or for another run to move the unit.
func (l *looking) until(ctx workflow.Context, done func() bool) error {
	return workflow.Await(ctx, func() bool { return l.overtaken() || done() })
}

// overtaken reports whether another run has said that it moves the unit.
func (l *looking) overtaken() bool {
	var o order
	for l.superseded == "" && l.orders.ReceiveAsync(&o) {
		if o.Kind == orderSupersede && o.Run != l.in.Run {
			l.superseded = o.Run
		}
	}
	return l.superseded != ""
}

// await waits until the unit's cluster answers again; the run hears of both.
func (l *looking) await(ctx workflow.Context, cause error) error {
	l.misses++
	_, _ = ask(step.Unobserved, "note that "+l.in.Cluster+" is out of reach", l.in.Ref).get(ctx)
	l.report(ctx, api.PhaseUnreachable, &api.Waiting{
		Kind: "cluster", Name: l.in.Cluster, Since: workflow.Now(ctx).UTC(), Unmet: []string{messageOf(cause)},
	})
	back := ask(step.Reachable, "wait for "+l.in.Cluster, l.in.Ref).near(l.in.Site)
	for {
		answers := back.start(ctx)
		if err := l.until(ctx, answers.ready); err != nil || l.superseded != "" {
			return err
		}
		_, err := answers.get(ctx)
		if _, over := workflow.AwaitWithTimeout(ctx, backOff(l.misses), l.overtaken); over != nil || l.superseded != "" {
			return over
		}
		if err == nil {
			l.report(ctx, api.PhaseSucceeded, nil)
			return nil
		}
	}
}

func (l *looking) report(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	l.show(ctx, phase, waiting)
	l.reports++
	rep := report{
		Cluster: l.in.Cluster, Phase: phase, Moved: true, Waiting: waiting, Look: true,
		Execution: workflow.GetInfo(ctx).WorkflowExecution.RunID, Number: l.reports,
	}
	_ = workflow.SignalExternalWorkflow(ctx, l.in.Parent, "", signalReport, rep).Get(ctx, nil)
}

func (l *looking) show(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	workflow.SetCurrentDetails(ctx, unitDetails(api.Unit{Path: l.in.Path, Phase: phase, Waiting: waiting}))
}
