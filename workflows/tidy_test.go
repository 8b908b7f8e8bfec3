package workflows_test

import (
	"slices"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// inPod is a task whose step is a job in a cluster.
func inPod(name, cluster string) plan.Task {
	t := task(name)
	t.Cluster = cluster
	t.Check.Steps = []pipelines.ResolvedStep{{Name: name + "/job", StepKinds: pipelines.StepKinds{Job: &pipelines.Job{Image: "i"}}}}
	return t
}

// TestARunThatEndsTidiesUp: who measured its checks, or made its attempts, may be dead.
func TestARunThatEndsTidiesUp(t *testing.T) {
	places := []plan.TaskPlace{{Cluster: "a", Context: "a"}, {Cluster: "t", Context: "t"}, {Cluster: "s", Context: "s", Site: "eu"}}
	for _, c := range []struct {
		reason string
		tasks  plan.Tasks
		set    func(*world)
		phase  api.Phase
		tidied []string // in any order
	}{
		{
			reason: "the cluster of a task that was aborted", tasks: plan.Tasks{First: []plan.Task{inPod("one", "t")}}, phase: api.PhaseAborted,
			set:    func(w *world) { w.command(time.Second/2, api.UpdateAbort, api.Command{Who: "ann"}) },
			tidied: []string{"tidied t"},
		},
		{
			reason: "each once, by site, those of finally too", phase: api.PhaseSucceeded,
			tasks:  plan.Tasks{First: []plan.Task{inPod("one", "t"), inPod("two", "t")}, Finally: []plan.Task{inPod("three", "s")}},
			tidied: []string{"tidied s", "tidied t"},
		},
		{
			reason: "not that of a task that never began", phase: api.PhaseFailed,
			tasks:  plan.Tasks{First: []plan.Task{task("bad"), func() plan.Task { u := inPod("one", "t"); u.After = []string{"bad"}; return u }()}},
			tidied: nil,
		},
		{
			reason: "the clusters that soaked", phase: api.PhaseSucceeded, tidied: []string{"tidied a", "tidied b"},
			set: func(w *world) { w.plan.Stages[0].SoakStage, w.plan.Stages[0].MakesPods = time.Minute, true },
		},
		{
			reason: "not those that soaked without pods", phase: api.PhaseSucceeded,
			set: func(w *world) { w.plan.Stages[0].SoakStage = time.Minute },
		},
		{
			reason: "not those of a stage that does not soak", phase: api.PhaseSucceeded,
			set: func(w *world) { w.plan.Stages[0].MakesPods = true },
		},
		{
			reason: "not those that were never reached", phase: api.PhaseAborted, tidied: []string{"tidied a"},
			set: func(w *world) {
				w.plan.Stages[0].SoakStage, w.plan.Stages[0].MakesPods = time.Minute, true
				w.command(time.Hour, api.UpdateAbort, api.Command{Who: "ann"})
				w.fails = func(name, cluster string) error {
					if name == step.Acquire.Name() && cluster == "b" {
						return fault.New(fault.Invalid, "no")
					}
					return nil
				}
			},
		},
		{
			reason: "that it does not work keeps no run", phase: api.PhaseSucceeded, tasks: plan.Tasks{First: []plan.Task{inPod("one", "t")}},
			set: func(w *world) {
				w.fails = func(name, _ string) error {
					if name == step.Tidy.Name() {
						return fault.New(fault.NotFound, "no such plan")
					}
					return nil
				}
			},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			c.tasks.Places = places
			w.does(&c.tasks, attempts{"bad": breaks}, nil)
			if c.set != nil {
				c.set(w)
			}
			if end := w.run(t); end.Phase != c.phase {
				t.Errorf("the run ended %s", end.Phase)
			}
			var tidied []string
			for _, line := range w.log {
				if len(line) > 7 && line[:7] == "tidied " {
					tidied = append(tidied, line)
				}
			}
			slices.Sort(tidied)
			if !slices.Equal(tidied, c.tidied) {
				t.Errorf("it saw to %q, want %q", tidied, c.tidied)
			}
		})
	}
}
