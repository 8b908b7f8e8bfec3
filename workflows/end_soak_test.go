package workflows_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/workflows/pace"
)

func (w *world) endsSoak(after time.Duration, clusters ...string) *heard {
	return w.command(after, api.UpdateEndSoak, api.Command{Who: "ann", Reason: "it cannot wait", Scope: api.Scope{Clusters: clusters}})
}

// endLooks has looks take as long as they are asked for, and counts those of them that are the last ones of a soak. These find
// something.
func (w *world) endLooks(found []api.Check) func() int {
	var mu sync.Mutex
	var asked time.Duration
	last := 0
	about := mock.MatchedBy(func(r step.ObserveRequest) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = r.For
		return true
	})
	w.env.OnActivity(step.Observe.Name(), mock.Anything, about).Maybe().AfterFn(func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}).Return(func(_ context.Context, r step.ObserveRequest) (api.Facts, error) {
		mu.Lock()
		defer mu.Unlock()
		if r.For != pace.LastLook {
			return api.Facts{}, nil
		}
		last++
		return api.Facts{Checks: found}, nil
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func TestASoakThatAPersonEndsHasALastLook(t *testing.T) {
	const day = 24 * time.Hour
	batch, cluster, stage := "the soak of a ends with a last look", "the soak of a ends with a last look", "the soak of stage production ends with a last look"
	ofStage := func(w *world) { w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = day, true }
	for _, c := range []struct {
		reason string
		set    func(w *world)
		says   string
		found  []api.Check
		end    api.Phase
	}{
		{"of a batch", func(w *world) { w.rules.Soak.FirstBatch = new(pipelines.Duration(day)) }, batch, nil, api.PhaseSucceeded},
		{"of a cluster", func(w *world) { w.rules.Soak.Cluster = pipelines.Duration(day) }, cluster, nil, api.PhaseSucceeded},
		{"of a stage", ofStage, stage, nil, api.PhaseSucceeded},
		{"of a batch, and it fails", func(w *world) { w.rules.Soak.FirstBatch = new(pipelines.Duration(day)) }, batch, bad(api.Failed), api.PhaseRolledBack},
		{"of a cluster, and it fails", func(w *world) { w.rules.Soak.Cluster = pipelines.Duration(day) }, cluster, bad(api.Failed), api.PhaseRolledBack},
		{"of a stage, and it fails", ofStage, stage, bad(api.Failed), api.PhaseRolledBack},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a")
			w.plan.OnFailure = pipelines.Rollback
			w.rules.Checks[0].At = append(w.rules.Checks[0].At, pipelines.During)
			c.set(w)
			last := w.endLooks(c.found)
			early := w.endsSoak(time.Second)
			w.command(time.Hour, api.UpdatePause, api.Command{})
			paused := w.endsSoak(time.Hour + time.Second)
			w.command(time.Hour+time.Minute, api.UpdateResume, api.Command{})
			ended := w.endsSoak(2 * time.Hour)
			end := w.run(t)
			if !early.accepted || !strings.Contains(early.answer.Message, "a was not heard to soak yet") {
				t.Errorf("before anything soaks, which is so for a moment of what does: %+v", early)
			}
			if paused.rejected == nil || !strings.Contains(paused.rejected.Error(), "it is paused") {
				t.Errorf("while it is paused: %+v", paused)
			}
			if !ended.accepted || ended.answer.Message != c.says {
				t.Errorf("it answers %+v", ended)
			}
			if took := end.Ended.Sub(end.Started); end.Phase != c.end || took < 2*time.Hour || took > 2*time.Hour+5*time.Minute {
				t.Errorf("the run ended %s after %s", end.Phase, took)
			}
			if last() != 1 {
				t.Errorf("it has %d last looks", last())
			}
		})
	}
}

func TestASoakOfAStageInPartsEndsWithLastLooks(t *testing.T) {
	w := many(t, 150)
	w.plan.Stages[0].SoakStage, w.plan.Stages[0].Looks = 24*time.Hour, true
	last := w.endLooks(nil)
	ended := w.endsSoak(12 * time.Hour)
	end := w.run(t)
	if took := end.Ended.Sub(end.Started); !ended.accepted || end.Phase != api.PhaseSucceeded || took < 12*time.Hour || took > 12*time.Hour+10*time.Minute {
		t.Errorf("%+v: the run ended %s after %s", ended, end.Phase, took)
	}
	if last() != 150 {
		t.Errorf("%d of 150 clusters had a last look", last())
	}
}
