package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"context"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/scenario/world"
)

// serve has the world answer: what is planned and written down for real, what clusters and checks say from the script.
func (w *play) serve() {
	world.Answer(w.World, step.LoadRun, nothing[string], func(h string) (step.RunPlan, error) { return w.store.LoadRun(background, h) })
	world.Answer(w.World, step.LoadUnit, world.OfRef, func(r step.Ref) (step.UnitPlan, error) { return w.store.LoadUnit(background, r) })
	world.Answer(w.World, step.SaveUnit, nothing[step.SaveUnitRequest], func(r step.SaveUnitRequest) (string, error) {
		return w.store.SaveUnit(background, r)
	})
	world.Answer(w.World, step.Whether, nothing[step.WhetherRequest], func(r step.WhetherRequest) (bool, error) {
		return w.store.Whether(background, r)
	})
	world.Answer(w.World, step.Diff, func(r step.DiffRequest) string { return r.Cluster }, w.diff)
	world.Answer(w.World, step.Look, ofCluster, func(r step.AdvanceRequest) (api.Facts, error) { return factsOf(r), nil })
	world.Answer(w.World, step.Evaluate, nothing[step.EvaluateRequest], func(r step.EvaluateRequest) ([]api.Check, error) {
		m := measuring{w.script, r.Facts.Unit.Cluster, r.Point, r.Facts, w.now()}
		return m.rules(r.Checks), nil
	})
	world.Answer(w.World, step.Advance, world.OfAdvance, unasked[step.AdvanceRequest, api.Facts])
	world.Answer(w.World, step.Revert, world.OfAdvance, unasked[step.AdvanceRequest, api.Facts])
	world.Answer(w.World, step.Retreat, world.OfAdvance, unasked[step.AdvanceRequest, api.Facts])
	world.Answer(w.World, step.Observe, world.OfObserve, unasked[step.ObserveRequest, api.Facts])
	world.Answer(w.World, step.Ask, nothing[step.ChecksRequest], unasked[step.ChecksRequest, []api.Check])
	world.Answer(w.World, step.Watch, nothing[step.ChecksRequest], unasked[step.ChecksRequest, []api.Check])
	world.Answer(w.World, step.Attempt, nothing[step.AttemptRequest], unasked[step.AttemptRequest, step.AttemptResult])
	w.Rest()
	var all []string
	for _, u := range w.plan.AllUnits() {
		all = append(all, u.Cluster)
	}
	for i, cluster := range all {
		skew := skewOf(i+1, len(all)+1)
		near := func(r step.AdvanceRequest) bool { return r.Cluster == cluster }
		lasts(w, skew, step.Advance, near, w.advance)
		lasts(w, skew, step.Revert, near, w.revert)
		lasts(w, skew, step.Retreat, near, w.revert)
		lasts(w, skew, step.Observe, func(r step.ObserveRequest) bool { return r.Cluster == cluster }, w.observe)
		if w.script.occupies() {
			lasts(w, skew, step.Enter, func(r step.EnterRequest) bool { return r.Cluster == cluster }, w.enter)
		}
		lasts(w, skew, step.Reachable, func(r step.Ref) bool { return r.Cluster == cluster }, w.reach)
	}
	for i, cluster := range append([]string{""}, all...) {
		skew := skewOf(i, len(all)+1)
		about := func(r step.ChecksRequest) bool { return r.Cluster == cluster }
		lasts(w, skew, step.Ask, about, w.ask)
		lasts(w, skew, step.Watch, about, w.watch)
	}
	if t := w.plan.Tasks; t != nil {
		tasks := slices.Concat(t.First, t.Finally)
		for i, one := range tasks {
			lasts(w, skewOf(i, len(tasks)), step.Attempt, func(r step.AttemptRequest) bool { return r.Task.Name == one.Name }, w.attempt)
		}
	}
}

func nothing[In any](In) string { return "" }

func ofCluster(r step.AdvanceRequest) string { return r.Cluster }

func unasked[In, Out any](in In) (Out, error) {
	var none Out
	return none, fmt.Errorf("nobody answers %+v", in)
}

// skewOf is where in a second the i-th of some ends what it does. They are far apart: the test environment lets a timer fire once so
// much real time has passed as well, whatever is still under way.
func skewOf(i, of int) time.Duration {
	return time.Duration(i) * 900 * time.Millisecond / time.Duration(of)
}

// answer is what an activity ends with, and after how long.
type answer[Out any] struct {
	took time.Duration
	out  Out
	err  error
}

// lasts has an activity take virtual time, during which it can be cancelled. What it ends with is known when it begins, since the script
// is. It ends so long behind a full second: what ends in one second in several clusters does so in an order that is always the same.
func lasts[In, Out any](
	w *play, skew time.Duration, a step.Activity[In, Out], about func(In) bool, f func(In, time.Duration) answer[Out],
) {
	var mu sync.Mutex
	var asked In
	ends := map[string]answer[Out]{}
	matches := mock.MatchedBy(func(in In) bool {
		mu.Lock()
		defer mu.Unlock()
		if !about(in) {
			return false
		}
		asked = in
		return true
	})
	takes := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		now := w.now()
		end := f(asked, now)
		ends[keyOf(asked)] = end
		return max(0, now+end.took+skew-w.Env.Now().Sub(w.script.starts))
	}
	w.Env.OnActivity(a.Name(), mock.Anything, matches).Maybe().AfterFn(takes).Return(func(_ context.Context, in In) (Out, error) {
		mu.Lock()
		defer mu.Unlock()
		end := ends[keyOf(in)]
		return end.out, world.Failed(end.err)
	})
}

// keyOf tells requests apart.
func keyOf(in any) string {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // never: it has come through Temporal
	}
	return string(body)
}
