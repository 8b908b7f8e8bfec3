package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// opensAfter has a window that is asked at a point take these times to open, one after another; the last is for ever.
func (w *world) opensAfter(point pipelines.Point, times ...time.Duration) {
	check := pipelines.ResolvedCheck{
		Name: "weekdays", At: []pipelines.Point{point}, Enforcement: pipelines.Enforcing,
		Steps: []pipelines.ResolvedStep{{Name: "weekdays/window", StepKinds: pipelines.StepKinds{
			Window: &pipelines.Window{TimeZone: "UTC", Deny: []pipelines.TimeWindow{{Days: "Sat,Sun"}}},
		}}},
	}
	if point == pipelines.BeforeRun {
		w.plan.Checks = append(w.plan.Checks, check)
	} else {
		w.rules.Checks = append(w.rules.Checks, check)
	}
	asked := -1
	w.env.OnActivity(step.Ask.Name(), mock.Anything, mock.Anything).AfterFn(func() time.Duration {
		w.mu.Lock()
		defer w.mu.Unlock()
		asked = min(asked+1, len(times)-1)
		return times[asked]
	}).Return(func(_ context.Context, r step.ChecksRequest) ([]api.Check, error) {
		w.note("Opened " + string(r.Point))
		return []api.Check{{Name: "weekdays", At: r.Point, Verdict: api.Passed}}, nil
	})
}

// TestAClosedWindowHoldsOnlyWhatGoesOn: a unit goes on by itself as the window opens, and whoever takes it back waits for no window.
func TestAClosedWindowHoldsOnlyWhatGoesOn(t *testing.T) {
	const weekend = 60 * time.Hour
	for _, c := range []struct {
		reason      string
		point       pipelines.Point
		opens       []time.Duration
		set         func(*world)
		run         api.Phase
		least, most time.Duration
		asked       []string
		unasked     []string
	}{
		{
			reason: "a cluster that has begun stands before its second batch until Monday", point: pipelines.BeforeBatch, opens: []time.Duration{0, weekend},
			run: api.PhaseSucceeded, least: weekend, most: weekend + time.Hour, asked: []string{"Advance a/1", "Opened beforeBatch", "Advance a/2"},
		},
		{
			reason: "a run that has not begun does so by itself", point: pipelines.BeforeRun, opens: []time.Duration{weekend},
			run: api.PhaseSucceeded, least: weekend, most: weekend + time.Hour, asked: []string{"Opened beforeRun", "Prepare a"},
		},
		{
			reason: "a rollback does not wait for it", point: pipelines.BeforeBatch, opens: []time.Duration{0, weekend},
			set: func(w *world) { w.command(time.Hour, api.UpdateRollback, api.Command{}) },
			run: api.PhaseRolledBack, most: 2 * time.Hour, asked: []string{"Advance a/1", "Revert a/2", "Release a RolledBack"}, unasked: []string{"Advance a/2"},
		},
		{
			reason: "nor does an abort", point: pipelines.BeforeBatch, opens: []time.Duration{0, weekend},
			set: func(w *world) { w.command(time.Hour, api.UpdateAbort, api.Command{}) },
			run: api.PhaseAborted, most: 2 * time.Hour, asked: []string{"Advance a/1"}, unasked: []string{"Advance a/2", "Revert a/2"},
		},
		{
			reason: "an abort ends a run that waits to begin", point: pipelines.BeforeRun, opens: []time.Duration{weekend},
			set: func(w *world) { w.command(time.Hour, api.UpdateAbort, api.Command{}) },
			run: api.PhaseAborted, most: 2 * time.Hour, unasked: []string{"Prepare a"},
		},
		{
			reason: "what is paused meanwhile does not go on as it opens", point: pipelines.BeforeBatch, opens: []time.Duration{0, weekend},
			set: func(w *world) {
				w.command(time.Hour, api.UpdatePause, api.Command{})
				w.command(2*weekend, api.UpdateResume, api.Command{})
			},
			run: api.PhaseSucceeded, least: 2 * weekend, most: 3*weekend + time.Hour, asked: []string{"Advance a/1", "Advance a/2"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.opensAfter(c.point, c.opens...)
			if c.set != nil {
				c.set(w)
			}
			end := w.run(t)
			if took := end.Ended.Sub(end.Started); end.Phase != c.run || took < c.least || took > c.most {
				t.Errorf("the run ended as %s after %s:\n%s", end.Phase, took, strings.Join(w.asked(), "\n"))
			}
			w.expect(t, c.asked, c.unasked)
		})
	}
}
