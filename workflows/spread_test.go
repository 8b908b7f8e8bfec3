package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
)

// TestFailureMode_R24_ARollbackIsNoHerd: what is given back to twelve clusters is asked of one registry.
func TestFailureMode_R24_ARollbackIsNoHerd(t *testing.T) {
	var clusters []string
	for i := range 12 {
		clusters = append(clusters, fmt.Sprintf("c-%02d", i))
	}
	w := newWorld(t, clusters...)
	w.plan.Stages[0].Groups[0].MaxConcurrency = len(clusters)
	w.plan.Stages[0].SoakStage = 24 * time.Hour
	w.command(time.Hour, api.UpdateRollback, api.Command{Reason: "it was wrong"})
	end := w.run(t)
	if end.Phase != api.PhaseRolledBack {
		t.Fatalf("the run ended %s", end.Phase)
	}
	var first, last time.Time
	began := map[time.Time]int{}
	for _, st := range end.Stages {
		for _, u := range st.Units {
			if u.Phase != api.PhaseRolledBack {
				t.Errorf("%s ended %s", u.Cluster, u.Phase)
			}
			began[u.Started]++
			if first.IsZero() || u.Started.Before(first) {
				first = u.Started
			}
			if u.Started.After(last) {
				last = u.Started
			}
		}
	}
	for at, n := range began {
		if n > 2 {
			t.Errorf("%d of 12 clusters began to go back in one moment, %s after the first", n, at.Sub(first))
		}
	}
	if took := last.Sub(first); took > 10*time.Minute {
		t.Errorf("the last one began %s after the first", took)
	}
}
