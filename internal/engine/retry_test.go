package engine_test

import (
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// ended is a unit that ended in a phase.
func ended(cluster string, phase api.Phase) api.UnitStatus {
	u := moved(cluster)
	u.Phase = phase
	return u
}

func TestARetryGoesOverWhatAnEndedRunLeft(t *testing.T) {
	skipped := ended("c2", api.PhaseSkipped)
	skipped.Ending = &api.Ending{By: "ann", Reason: "its rack is down"}
	for _, c := range []struct {
		reason string
		units  []api.UnitStatus
		failed bool
		want   []string
		says   string
	}{
		{"what failed, and not what succeeded", []api.UnitStatus{moved("c1"), ended("c2", api.PhaseFailed)}, false, []string{"c2"}, "run agent-2 tries again what agent-1 left, 1 unit: c2"},
		{"what was out of reach", []api.UnitStatus{ended("c1", api.PhaseMissed), moved("c2")}, true, []string{"c1"}, "1 unit: c1"},
		{"what never had its turn", []api.UnitStatus{ended("c1", api.PhaseFailed), ended("c2", api.PhaseSkipped)}, false, []string{"c1", "c2"}, "2 units: c1, c2"},
		{"unless only what failed is wanted", []api.UnitStatus{ended("c1", api.PhaseFailed), ended("c2", api.PhaseSkipped)}, true, []string{"c1"}, "1 unit: c1"},
		{"never what a person left out", []api.UnitStatus{ended("c1", api.PhaseFailed), skipped}, false, []string{"c1"}, "1 unit: c1"},
		{"nothing", []api.UnitStatus{moved("c1"), skipped}, false, nil, "nothing of it is left to try again"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.end(run, c.units...)
			starts := len(b.temporal.started)
			b.write("agent/agent.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
			answer, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "bob", Failed: c.failed})
			if err != nil || !strings.Contains(answer.Message, c.says) {
				t.Fatalf("it answers %q, %v", answer.Message, err)
			}
			if c.want == nil {
				if len(b.temporal.started) > starts {
					t.Error("something was started")
				}
				return
			}
			in := b.temporal.inputs[len(b.temporal.inputs)-1].(api.RolloutInput)
			if in.Plan != run.Plan || in.By != "bob (unverified)" || in.Retry == nil || in.Retry.Run != run.Name || !slices.Equal(in.Retry.Units, c.want) {
				t.Errorf("started on %+v, retry %+v", in, in.Retry)
			}
		})
	}
}

func TestWhatARetryRefuses(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(b *bench)
		units  []api.UnitStatus
		want   string
	}{
		{"a cluster that another run has moved since", func(b *bench) { b.deploy("c2", "agent-7", "3.0.0") }, []api.UnitStatus{moved("c1"), ended("c2", api.PhaseFailed)}, "what runs in c2 (nothing then, 3.0.0 by agent-7 now) has changed since"},
		{"a run that was taken back", func(*bench) {}, []api.UnitStatus{ended("c1", api.PhaseRolledBack), ended("c2", api.PhaseSkipped)}, "it was taken back"},
		{"what is frozen", func(b *bench) { b.freezes(api.FreezeScope{Clusters: []string{"c2"}}, noon.AddDate(1, 0, 0)) }, []api.UnitStatus{moved("c1"), ended("c2", api.PhaseFailed)}, "lift it with"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.end(run, c.units...)
			c.set(b)
			_, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "bob"})
			wants(t, err, fault.Refused, c.want)
		})
	}
}

// TestARetryPassesByNoStageThatProvedNothing: the canary had moved when its run was aborted in its soak; nothing of it is left to try
// again, and production has not begun.
func TestARetryPassesByNoStageThatProvedNothing(t *testing.T) {
	for _, c := range []struct {
		reason string
		prod   api.UnitStatus
		want   string // "" where it is taken
	}{
		{"production never began", api.UnitStatus{Cluster: "c2", Phase: api.PhaseSkipped}, "stage canary has moved and has not come to its end"},
		{"production began when the canary had come to its end", ended("c2", api.PhaseFailed), ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := stages(t)
			run := b.started()
			canary := moved("c1")
			canary.Phase, canary.Started = api.PhaseSucceeded, noon
			if c.want == "" {
				c.prod.Started = noon
			}
			b.end(run, canary, c.prod)
			_, err := b.Command(t.Context(), run.Name, api.UpdateRetry, api.Command{Who: "bob"})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wants(t, err, fault.Refused, c.want, "plan again")
		})
	}
}
