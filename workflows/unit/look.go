package unit

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/tell"
)

// lookout is the runbook of looking at a unit that has arrived. It has no Lease and writes nothing in the cluster, so that the next
// run there need not wait for it: it tells the looks to end. The heartbeats of a soak go to one such workflow for each cluster,
// and none to the run, which has to answer commands.
type lookout struct {
	*machine
	what, record string
	until        time.Time
	quiet        time.Duration
	heard        workflow.ReceiveChannel // what runs say
	superseded   string                  // the run that moves the unit now
	hurry        bool                    // its run has ended the soak, and wants a last look
	watches      bool                    // background checks are measured meanwhile
}

// errHurry ends a look that is to be the last but one.
var errHurry = errors.New("the soak is to end")

// Look looks at a unit until its time is over, a check does not pass, or another run moves it. It waits for a cluster that is
// out of reach.
func Look(ctx workflow.Context, in tell.LookInput) (tell.Finding, error) {
	r := newMachine(ctx, tell.ClusterInput{
		Ref: in.Ref, Stage: in.Stage, Group: in.Group, Path: in.Path, Site: in.Site, Parent: in.Parent,
	})
	r.looks, r.unit.Moved = true, true
	says := workflow.SignalChannelOptions{Description: "another run moves the unit now, or the soak is to end"}
	l := &lookout{
		machine: r, what: in.What, record: in.Record, until: in.Until, quiet: in.Quiet, watches: in.Watches,
		heard: workflow.GetSignalChannelWithOptions(ctx, tell.SignalOrder, says),
	}
	return l.look(ctx)
}

func (l *lookout) look(ctx workflow.Context) (tell.Finding, error) {
	if now := workflow.Now(ctx); !l.until.After(now) && l.shape >= shape.LooksOnce {
		l.until = now.Add(pace.LastLook) // no worker was there to begin in time: what nobody has seen has not passed
	}
	for {
		left := l.until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return tell.Finding{}, nil
		}
		l.set(ctx, api.PhaseSoaking, &api.Waiting{Kind: api.WaitSoak, Name: l.what, Until: l.until.UTC()})
		seen, err := l.observe(ctx, left)
		bad, held := plan.FirstBad(seen.Checks)
		switch {
		case l.superseded != "":
			return tell.Finding{Superseded: l.superseded}, nil
		case ctx.Err() != nil:
			return tell.Finding{}, ctx.Err()
		case errors.Is(err, errHurry):
			l.hurry, l.until = false, workflow.Now(ctx).Add(pace.LastLook)
			continue
		case ask.CodeOf(err) == fault.Unreachable:
			if err := l.outOfReach(ctx, err); err != nil || l.superseded != "" {
				return tell.Finding{Superseded: l.superseded}, err
			}
		case err != nil:
			return tell.Finding{Check: &api.Check{Name: "watch during soak", Verdict: api.Error, Message: ask.MessageOf(err)}}, nil
		case held:
			bad.Message = clip.Bytes(bad.Message, pace.Tuned().MaxMessage)
			return tell.Finding{Check: &bad}, nil // with what it saw: the unit's own record does not have it
		default:
			return tell.Finding{}, nil
		}
		l.until = pace.LookAgain(ctx, l.until, l.quiet)
	}
}

// observe looks for a time. It does not wait for an activity that is to end: that changes nothing, and hears it by itself.
func (l *lookout) observe(ctx workflow.Context, left time.Duration) (seen api.Facts, err error) {
	req := step.ObserveRequest{Ref: l.in.Ref, For: left, Record: l.record}
	looked := near(l.machine, step.Observe, "look at "+l.in.Path+" while "+l.what+" soaks", req).Start(ctx)
	if l.watches {
		return l.watchToo(ctx, looked, left)
	}
	if err := l.sit(ctx, func() bool { return l.hurry || looked.Ready() }); err != nil || l.superseded != "" {
		return seen, err
	}
	if !looked.Ready() {
		return seen, errHurry
	}
	return looked.Get(ctx)
}

// watchToo has the background checks measured beside the looks, for as long as they take, and once more at their end.
func (l *lookout) watchToo(ctx workflow.Context, looked ask.Asked[api.Facts], left time.Duration) (seen api.Facts, err error) {
	within, end := workflow.WithCancel(ctx)
	defer end()
	req := step.ChecksRequest{Ref: l.in.Ref, Point: pipelines.During, Record: l.record}
	watched := near(l.machine, step.Watch, "background checks of "+l.in.Path, req).Start(within)
	over := workflow.NewTimer(within, pace.WholeSeconds(left))
	for looking, watching := true, true; ; {
		some := func() bool {
			return l.hurry || looking && looked.Ready() || watching && watched.Ready() || !looking && over.IsReady()
		}
		if err := l.sit(ctx, some); err != nil || l.superseded != "" {
			return seen, err
		}
		switch {
		case looking && looked.Ready():
			looking = false
			if seen, err = looked.Get(ctx); err != nil {
				return seen, err
			}
			if _, bad := plan.FirstBad(seen.Checks); bad {
				return seen, nil
			}
		case watching && watched.Ready():
			watching = false // all that was to be measured is
			found, err := watched.Get(ctx)
			if _, bad := plan.FirstBad(found); err != nil || bad {
				return api.Facts{Facts: seen.Facts, Checks: found}, err
			}
		case l.hurry:
			return seen, errHurry
		default:
			seen.Checks, err = near(l.machine, step.Ask, "last look at "+l.in.Path, req).Get(ctx)
			return seen, err
		}
	}
}

// sit waits until something is so, or another run moves the unit.
func (l *lookout) sit(ctx workflow.Context, so func() bool) error {
	return workflow.Await(ctx, func() bool { return l.overtaken() || so() })
}

// overtaken hears what other workflows say, and reports whether another run moves the unit.
func (l *lookout) overtaken() bool {
	var o tell.Order
	for l.superseded == "" && l.heard.ReceiveAsync(&o) {
		switch {
		case o.Kind == tell.OrderSupersede && o.Run != l.in.Run:
			l.superseded = o.Run
		case o.Kind == tell.OrderEndSoak && o.Run == l.in.Run:
			l.hurry = true
		}
	}
	return l.superseded != ""
}

// outOfReach waits until the unit's cluster answers again; the run hears of both.
func (l *lookout) outOfReach(ctx workflow.Context, cause error) error {
	l.misses++
	l.gone(ctx, cause)
	back := near(l.machine, step.Reachable, "wait for "+l.in.Cluster, l.in.Ref)
	for {
		answers := back.Start(ctx)
		if err := l.sit(ctx, answers.Ready); err != nil || l.superseded != "" {
			return err
		}
		_, err := answers.Get(ctx)
		if _, over := workflow.AwaitWithTimeout(ctx, pace.BackOff(l.misses), l.overtaken); over != nil || l.superseded != "" {
			return over
		}
		if err == nil {
			l.away = false
			l.tell(ctx, api.PhaseSucceeded, nil) // it had arrived
			return nil
		}
	}
}
