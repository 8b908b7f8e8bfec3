package policy_test

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// TestABigPlanIsJudgedAtOnce: as many clusters as a run may have, each a group of its own, in two environments. The bound is generous.
func TestABigPlanIsJudgedAtOnce(t *testing.T) {
	p := &plan.Plan{Stages: []plan.StagePlan{{Name: "all"}, {Name: "rest"}}}
	live := &plan.Live{}
	for i := range plan.MaxRunUnits {
		name := fmt.Sprint("c", i)
		u := plan.Unit{Cluster: name, Environment: []string{"canary", "production"}[i*2/plan.MaxRunUnits]}
		s := &p.Stages[i*2/plan.MaxRunUnits]
		s.Rules.Batches = []pipelines.Amount{pipelines.Count(4), pipelines.Percent(100)}
		s.Groups = append(s.Groups, plan.Group{Name: name, MaxConcurrency: 1, Units: []plan.Unit{u}})
		s.LeftOut = append(s.LeftOut, plan.LeftOut{Cluster: "out" + name, Environment: "canary", Passed: true})
		live.Clusters = append(live.Clusters, seen(name, 400, "", s.Rules.Batches...))
	}
	docs := load(t, stagesOf("", "staging"), "order: [canary, staging, production], mustPass: [canary], firstBatch: 1%, soak: {batch: 1m}")
	began := time.Now()
	got := judged(policy.Case{Plan: p, Live: live}, docs)
	if took := time.Since(began); took > 20*time.Second || len(got) != 4 {
		t.Errorf("it took %s, and says %q", took, got)
	}
}
