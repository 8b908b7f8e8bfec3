package plan_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/plan"
)

// A whole plan is driven as a run does it: stage by stage, group by group, each through its window. Whatever ends badly on
// the way, no unit starts twice, none starts before what it goes after has ended well, and what stays behind says why.
func TestAWholeRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, err := plan.Build(anyInput(rt))
		if err != nil {
			rt.Skip("this input has no plan")
		}
		bad := rapid.IntRange(0, 3).Draw(rt, "bad luck")
		ended := map[string]plan.State{}
		var earlier []plan.Left
		for i := range p.Stages {
			s := &p.Stages[i]
			s.MaxFailures, s.MaxUnreachable = len(ended)+s.Units(), len(ended)+s.Units()
			for j := range s.Groups {
				w := s.Window(j, slices.Clone(earlier))
				started, states := drive(rt, w, func(int) plan.State {
					if rapid.IntRange(0, 9).Draw(rt, "luck") < bad {
						return rapid.SampledFrom([]plan.State{plan.Failed, plan.Unreachable}).Draw(rt, "end")
					}
					return plan.Succeeded
				})
				blocked := w.Next(states).Blocked
				if len(started)+len(blocked) != len(w.Group.Units) {
					rt.Fatalf("%d of %d units were started and %d are blocked", len(started), len(w.Group.Units), len(blocked))
				}
				if bad == 0 && len(blocked) > 0 {
					rt.Fatalf("everything ends well and %s", blocked[0].Why)
				}
				for _, at := range started {
					checkAllBeforeEnded(rt, p, ended, w.Group.Units[at])
				}
				if len(blocked) > 0 {
					return // the run holds here until a person acts
				}
				for k, u := range w.Group.Units {
					ended[u.Cluster] = states[k]
					if states[k] == plan.Failed || states[k] == plan.Unreachable {
						earlier = append(earlier, plan.Left{Cluster: u.Cluster, Group: u.Group, State: states[k], SameStage: true})
					}
				}
			}
			for k := range earlier {
				earlier[k].SameStage = false
			}
		}
	})
}

// checkAllBeforeEnded looks at what a started unit goes after in earlier groups and stages; drive has looked at its own.
func checkAllBeforeEnded(t *rapid.T, p *plan.Plan, ended map[string]plan.State, u plan.Unit) {
	for name, state := range ended {
		other, _, _ := p.Unit(name)
		waits := slices.Contains(u.After, name) || slices.Contains(u.AfterGroups, other.Group)
		if waits && state != plan.Succeeded {
			t.Fatalf("%s was started, and %s, which it goes after, is %q", u.Cluster, name, state)
		}
	}
}
