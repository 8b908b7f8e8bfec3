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
			w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops"})
			var got []string
			for _, f := range w.Failures {
				got = append(got, f.Cluster)
				if f.At.IsZero() || f.At.Sub(w.Failures[0].At) > time.Minute {
					t.Errorf("it failed at %s", f.At)
				}
			}
			if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
				t.Errorf("it was noted of %v that they failed, not of %v", got, c.want)
			}
		})
	}
}
