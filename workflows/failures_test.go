package workflows_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Fuses count a cluster when it fails, not when somebody has come to end it.
func TestAUnitSaysWhenItFails(t *testing.T) {
	for reason, c := range map[string]struct {
		set  func(*world)
		want []string
	}{
		"it stands until a person decides": {func(w *world) {
			w.facts = crashes("a")
			w.command(time.Hour, api.UpdateAbort, api.Command{Who: "ann", Reason: "enough"})
		}, []string{"a"}},
		"it is taken back by its pipeline": {func(w *world) { w.facts, w.plan.OnFailure = crashes("a"), pipelines.Rollback }, []string{"a"}},
		"nothing fails":                    {func(*world) {}, nil},
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.advances = time.Minute
			c.set(w)
			end := w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops"})
			var got []string
			for i, f := range w.Failures {
				got = append(got, f.Cluster)
				if i < len(w.Nodes) && !w.Nodes[i].Failed.Equal(f.At) {
					t.Errorf("nodes were looked at as they were %s", w.Nodes[i].Failed)
				}
				if f.At.IsZero() || f.At.Sub(w.Failures[0].At) > time.Minute {
					t.Errorf("it failed at %s", f.At)
				}
			}
			nodes := ""
			if len(c.want) > 0 {
				nodes = "sha256:nodes"
			}
			if len(w.Nodes) != len(c.want) || end.Stages[0].Units[0].Nodes != nodes {
				t.Errorf("the nodes were looked at %+v, kept with the unit is %q", w.Nodes, end.Stages[0].Units[0].Nodes)
			}
			if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
				t.Errorf("it was noted of %v that they failed, not of %v", got, c.want)
			}
		})
	}
}

// Whose failure shows only in the soak of its stage has its nodes looked at as well, by what its record says that it had moved; and
// what was seen stays with it when it is taken back.
func TestNodesAreLookedAtInTheSoakOfAStage(t *testing.T) {
	w := soaking(t)
	w.plan.OnFailure = pipelines.Rollback
	w.sees("a", time.Hour, []api.Check{{Name: "errors", Verdict: api.Failed, Message: "5%"}}, nil)
	end := w.run(t)
	if u := end.Stages[0].Units[0]; end.Phase != api.PhaseRolledBack || u.Nodes != "sha256:nodes" {
		t.Errorf("the run ended %s, kept with a is %q", end.Phase, u.Nodes)
	}
	if len(w.Nodes) != 1 || w.Nodes[0].Cluster != "a" || w.Nodes[0].Record == "" {
		t.Errorf("nodes were looked at by %+v", w.Nodes)
	}
}
