package plan_test

import (
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestUnitFindsAClusterAndItsStage(t *testing.T) {
	p := build(t, whole())
	u, s, ok := p.Unit("d")
	if !ok || u.Path != "shop/d" || s.Name != "production" {
		t.Errorf("got %v, want shop/d of stage production", u)
	}
	if _, _, ok := p.Unit("x"); ok {
		t.Error("a cluster that the plan does not have was found")
	}
}

func TestRulesBackWaitForNothingButReadiness(t *testing.T) {
	back := build(t, whole()).Stages[1].Rules.Back()
	if len(back.Checks) > 0 || back.Soak != (plan.Soak{}) {
		t.Errorf("rule 6: a rollback is not held by checks or soak; got %+v", back)
	}
	if len(back.Batches) != 1 || back.Batches[0] != pipelines.Percent(100) || !back.NodeSets[len(back.NodeSets)-1].All {
		t.Errorf("a rollback reaches every pod; got %+v", back)
	}
}
