package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/scenario/world"
	"sluice.dev/sluice/workflows/show"
)

// starter is who starts the run of a scenario.
const starter = "ops"

// play is a scenario that is played.
type play struct {
	*world.World
	script  *script
	plan    *plan.Plan
	records *records
	store   *store.Activities
	log     *log
	run     string
}

// Play plays a scenario, and returns the decisions that come of it, a line each. Library is documents that it may refer to. An error is
// that it could not be played, or did not end.
func (s *Scenario) Play(library []pipelines.Source) ([]string, error) {
	p, err := s.planned(library)
	if err != nil {
		return nil, err
	}
	run := p.Subject.Name + "-1"
	kept, err := newRecords(p, ledger.Run{Name: run, By: starter})
	if err != nil {
		return nil, err
	}
	w := &play{
		World: world.New(MaxReal), script: &s.script, plan: p, records: kept, run: run,
		store: &store.Activities{Ledger: kept, Checks: check.New()},
	}
	w.log = newLog(s.script.starts, p)
	w.Env.SetStartTime(s.script.starts)
	w.Env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{w.log}})
	w.Fails = w.failing
	w.serve()
	w.Alone()
	w.people()
	err = w.through()
	return w.log.decisions(), err
}

// now is how long the run goes on, in full seconds.
func (w *play) now() time.Duration { return w.Env.Now().Sub(w.script.starts).Truncate(time.Second) }

// through plays to the end of the run, or of the scenario.
func (w *play) through() (err error) {
	defer func() {
		if stuck := recover(); stuck != nil {
			text, _, _ := strings.Cut(fmt.Sprint(stuck), ", workflow stack")
			err = fault.New(fault.Internal, "it does not get on: %s", text)
		}
	}()
	most := w.script.ends
	if d := w.script.drill; d != nil && (most == 0 || most > d.Within) {
		most = d.Within
	}
	if most == 0 {
		most = MaxVirtual
	}
	var open string
	w.Env.RegisterDelayedCallback(func() {
		var s api.RunStatus
		if s, open = w.waits(); s.Name != "" {
			w.prove(&s, true)
		}
		w.log.end(most, open)
		w.Env.CancelWorkflow()
	}, most)
	w.Env.RegisterDelayedCallback(func() { panic("the run does not end") }, most+MaxVirtual)
	w.Env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: w.run, TaskQueue: api.Queue("0123456789")})
	w.Env.ExecuteWorkflow(api.RolloutName, api.RolloutInput{Run: w.run, Plan: plan.Hash(w.plan), By: starter})
	var end api.RunStatus
	switch failed := w.Env.GetWorkflowError(); {
	case open != "" && w.script.ends == 0 && w.script.drill == nil:
		return fault.New(fault.Refused, "it has not ended after %s: %s; say so with a line ends at DURATION", short(most), open)
	case open == "" && failed != nil && !api.Ended(failed, &end):
		return fault.Wrap(fault.Internal, failed, "the run failed")
	case open == "" && failed == nil:
		if err := w.Env.GetWorkflowResult(&end); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot read how the run ended")
		}
	}
	if open == "" {
		w.prove(&end, false)
	}
	return nil
}

// waits is where the run is, and as people read it.
func (w *play) waits() (s api.RunStatus, says string) {
	v, err := w.Env.QueryWorkflow(api.QueryStatus)
	if err != nil || v.Get(&s) != nil {
		return api.RunStatus{}, "the run is open"
	}
	return s, "the run is " + strings.TrimSpace(string(s.Phase)+" "+show.WaitingWords(s.WaitsFor()))
}

// people do what the script says.
func (w *play) people() {
	var holds api.Holds
	for _, c := range w.script.commands {
		if c.name != "" {
			cmd := api.Command{Who: c.who, Reason: c.reason, Scope: c.scope, Abandon: c.verb == "abandons"}
			if c.name == api.UpdateApprove {
				cmd.Plan = plan.Hash(w.plan)
			}
			w.Command(c.after, c.name, cmd, func(h world.Heard) { w.log.heard(w.now(), c, h) })
			continue
		}
		w.Env.RegisterDelayedCallback(func() {
			holds.Revision++
			holds.List = nil
			if c.verb == "freezes" {
				holds.List = []api.Hold{{
					Freeze: fmt.Sprintf("freeze-%d", holds.Revision), By: c.who, Reason: c.reason, InFlight: c.flight, Clusters: c.scope.Clusters,
				}}
			}
			w.log.add(w.now(), c.who, ofPeople, c.verb)
			w.Env.SignalWorkflow(api.SignalHolds, holds)
		}, c.after)
	}
}

// failing is why an activity does not work.
func (w *play) failing(name, about string) error {
	short, near := strings.CutPrefix(name, "cluster.")
	if !near {
		return nil
	}
	cluster, _, _ := strings.Cut(about, " ")
	if err := w.script.away(cluster, w.now()); err != nil {
		return err
	}
	if st, is := w.script.is(fails, short, cluster, w.now()); is {
		return fault.New(fault.Internal, "%s", st.message)
	}
	return nil
}

var background = context.Background()
