package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/step"
)

// about is the reason of the second unit, c2, which stands as it is told to.
func (b *bench) about(set func(u *api.UnitStatus)) engine.Reason {
	b.t.Helper()
	run := b.underWay()
	unit := b.temporal.answers["prod/c2/agent"].(api.UnitStatus)
	set(&unit)
	b.temporal.answers["prod/c2/agent"] = unit
	all := b.temporal.answers[run.Name].(api.RunStatus)
	all.Plan, all.Subject, all.Version = run.Plan, run.Subject, run.Version
	open := &all.Stages[1].Units[1]
	open.Phase, open.Waiting = unit.Phase, unit.Waiting
	b.temporal.answers[run.Name] = all
	why, err := b.Why(b.t.Context(), run.Name, "c2")
	if err != nil || len(why.Reasons) != 1 {
		b.t.Fatalf("%+v, %v", why, err)
	}
	return why.Reasons[0]
}

func TestWhyEndsWithWhatHelps(t *testing.T) {
	pulls := api.Pod{Name: "agent-x", Reason: "ImagePullBackOff"}
	crashes := api.Pod{Name: "agent-x", Container: "agent", Reason: "CrashLoopBackOff", Restarts: 4}
	stuck := func(p api.Pod) func(*api.UnitStatus) {
		return func(u *api.UnitStatus) {
			u.Phase, u.Waiting = api.PhaseStalled, &api.Waiting{Kind: "decision", Name: "progress"}
			u.Batches[0].Workload, u.Batches[0].Stuck = "DaemonSet/infra/agent", &api.Stuck{Pods: []api.Pod{p}}
		}
	}
	const skip = "sluice skip agent-1 c2 --reason TEXT"
	decide := []string{"sluice resume agent-1", "sluice rollback agent-1 --cluster c2", skip, "sluice abort agent-1"}
	for _, c := range []struct {
		reason   string
		set      func(u *api.UnitStatus)
		byItself string // how it begins
		want     []string
	}{
		{"an image that cannot be pulled", stuck(pulls), "", append([]string{"kubectl --context c2 -n infra describe pod agent-x"}, decide...)},
		{"a crash", stuck(crashes), "", append([]string{
			"kubectl --context c2 -n infra describe pod agent-x", "kubectl --context c2 -n infra logs agent-x -c agent --previous",
		}, decide...)},
		{"a batch that can go back alone", func(u *api.UnitStatus) {
			u.Phase, u.Waiting, u.Last = api.PhaseStalled, &api.Waiting{Kind: "decision", Name: "progress"}, &api.LastBatch{Path: "prod/c2/all/1"}
		}, "", slices.Insert(slices.Clone(decide), 2, "sluice rollback agent-1 --cluster c2 --batch --reason TEXT")},
		{"drift", func(u *api.UnitStatus) {
			u.Phase, u.Waiting = api.PhaseRefused, &api.Waiting{Kind: "decision", Name: "drift"}
		}, "", []string{"sluice plan agent --to 1.0.0", "sluice resume agent-1", "sluice abort agent-1"}},
		{"a person's pause", func(u *api.UnitStatus) {
			u.Phase, u.Waiting = api.PhasePaused, &api.Waiting{Kind: "person", Name: "resume"}
		}, "", []string{"sluice resume agent-1"}},
		{"out of reach", func(u *api.UnitStatus) {
			u.Phase, u.Waiting = api.PhaseUnreachable, &api.Waiting{Kind: "cluster", Name: "c2"}
		}, "as soon as the cluster answers", []string{"kubectl --context c2 get --raw /readyz", skip}},
		{"a soak", func(u *api.UnitStatus) {
			u.Phase, u.Waiting = api.PhaseSoaking, &api.Waiting{Kind: "soak", Until: noon}
		}, "", nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := newBench(t).about(c.set)
			if !slices.Equal(got.Commands, c.want) {
				t.Errorf("it says\n%s\nwant\n%s", strings.Join(got.Commands, "\n"), strings.Join(c.want, "\n"))
			}
			if !strings.HasPrefix(got.ByItself, c.byItself) || c.byItself == "" && got.ByItself != "" {
				t.Errorf("by itself: %q, want %q", got.ByItself, c.byItself)
			}
		})
	}
}

func TestWhyNamesTheRunThatHoldsALock(t *testing.T) {
	b := newBench(t)
	b.temporal.holders = map[string]string{"prod/c2/agent": "agent-9"}
	got := b.about(func(u *api.UnitStatus) {
		u.Phase, u.Waiting = api.PhaseLocked, &api.Waiting{Kind: "lock", Name: "prod/c2/agent", Unmet: []string{"another run has it"}}
	})
	if got.Holder != "agent-9" || !slices.Equal(got.Commands, []string{"sluice why agent-9"}) || !strings.Contains(got.ByItself, "has ended") {
		t.Errorf("%+v", got)
	}
}

func TestWhySaysWhatIsTriedAgain(t *testing.T) {
	b := newBench(t)
	b.temporal.retries = map[string]string{"prod/c2/agent": "its controller has seen generation 4 of 5"}
	got := b.about(func(*api.UnitStatus) {})
	if want := "Prepare, attempt 3, as the last one said: its controller has seen generation 4 of 5"; got.Retry != want {
		t.Errorf("it says %q, want %q", got.Retry, want)
	}
}

func TestWhyShowsThePodsOfTheHeartbeat(t *testing.T) {
	b := newBench(t)
	live := &api.Stuck{Pods: []api.Pod{{Name: "agent-y", Reason: "ErrImagePull"}}, More: 2}
	got := b.about(func(u *api.UnitStatus) {
		u.Batches[0].Stuck = &api.Stuck{Pods: []api.Pod{{Name: "agent-x"}}} // of before it was resumed
		b.temporal.progress["prod/c2/agent"] = step.Progress{Updated: 3, Target: 4, Total: 40, Since: noon, Stuck: live}
	})
	if got.Stuck == nil || got.Stuck.Pods[0].Name != "agent-y" || got.Stuck.More != 2 {
		t.Errorf("%+v", got.Stuck)
	}
}

func TestARunWithoutAWorkerSaysSinceWhen(t *testing.T) {
	b := newBench(t)
	run := b.started()
	v, err := b.Status(t.Context(), run.Name)
	if err != nil || v.Waiting == nil || v.Waiting.Kind != "worker" || v.Waiting.Since.IsZero() || v.Waiting.Since.After(noon.Add(time.Minute)) {
		t.Errorf("it waits for %+v, %v", v.Waiting, err)
	}
}
