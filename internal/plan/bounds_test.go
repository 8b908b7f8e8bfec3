package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
)

func TestCheckBounds(t *testing.T) {
	wide := func(stages, units int) *plan.Plan {
		p := &plan.Plan{Subject: api.Component("x"), Version: "1"}
		for i := range stages {
			g := plan.Group{}
			for j := range units {
				g.Units = append(g.Units, plan.Unit{
					Path: "production-vpc/cn-hangzhou", Cluster: fmt.Sprintf("cn-hangzhou-%d-%d", i, j),
					Labels: map[string]string{"never": strings.Repeat("carried", 1000)},
				})
			}
			p.Stages = append(p.Stages, plan.StagePlan{Name: fmt.Sprintf("stage-%d", i), Groups: []plan.Group{g}})
		}
		return p
	}
	long := func(p *plan.Plan) *plan.Plan {
		for i := range p.Stages[0].Groups[0].Units {
			p.Stages[0].Groups[0].Units[i].Path = strings.Repeat("x", 800)
		}
		return p
	}
	cases := map[string]struct {
		reason string
		plan   *plan.Plan
		want   string
	}{
		"a stage at the bound": {
			reason: "the bound itself is fine; labels do not travel with a run",
			plan:   wide(1, plan.MaxStageUnits),
		},
		"a stage beyond the bound": {
			reason: "more children leave a workflow stuck",
			plan:   wide(1, plan.MaxStageUnits+1),
			want:   "stage stage-0 has 2001 clusters, and a stage of a run holds at most 2000 (MaxStageUnits)",
		},
		"a run at the bound": {
			reason: "the bound itself is fine",
			plan:   wide(5, plan.MaxRunUnits/5),
		},
		"a run beyond the bound": {
			reason: "what it says of its clusters would be too long to be said",
			plan:   wide(5, plan.MaxRunUnits/5+1),
			want:   "it has 2505 clusters, and a run holds at most 2500 (MaxRunUnits)",
		},
		"a plan beyond the payload": {
			reason: "a bigger payload leaves a workflow stuck",
			plan:   long(wide(1, plan.MaxStageUnits)),
			want:   "and a run carries at most 1572864 (MaxPlanBytes)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := plan.CheckBounds(tc.plan)
			if tc.want == "" {
				if err != nil {
					t.Errorf("%s: got %v", tc.reason, err)
				}
				return
			}
			if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q in it", tc.reason, err, tc.want)
			}
		})
	}
}
