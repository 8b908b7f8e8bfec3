package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/workload/goal"
)

func TestWhyTellsAReasonFromACondition(t *testing.T) {
	for kind, want := range map[api.WaitKind]string{api.WaitPerson: "  reason      look\n", api.WaitDecision: "  not met     look\n"} {
		text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{
			{Subject: "a-1", Waiting: &api.Waiting{Kind: kind, Unmet: []string{"look"}}},
		}}, time.Time{})
		if !strings.Contains(text, want) {
			t.Errorf("of a %s it says %q, want %q", kind, text, want)
		}
	}
}

func TestWhySaysWhatAUnitWentBackFor(t *testing.T) {
	seen := api.Check{Name: "restarts", Verdict: api.Failed, Message: "containers restart", Seen: map[string]any{"workload.restarts": 7}}
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{
		Subject: "prod/a", Phase: api.PhaseFailed, Failure: &api.Check{Name: "rollback", Verdict: api.Error, Message: "not ours"},
		Cause: &seen, CauseAt: "prod/a/all/1",
	}}}, time.Time{})
	want := "  went back   from prod/a/all/1, for restarts Failed: containers restart\n  seen        workload.restarts = 7\n"
	if !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
}

func TestWhyTellsOfTheAttemptsAtATask(t *testing.T) {
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{
		Subject: "task ask", Phase: api.PhaseFailed, Waiting: &api.Waiting{Kind: api.WaitNothing, Unmet: []string{"Failed"}},
		Attempts: []api.TaskAttempt{{Reason: "ToBeRetried", Message: "5 of 12"}},
		FailedAt: "task ask", Failure: &api.Check{Name: "look", Verdict: api.Failed, Message: "3 of 12"},
	}}}, time.Time{})
	if want := "  attempt 1   ToBeRetried: 5 of 12\n  stopped at  task ask, by look Failed: 3 of 12\n"; !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
}

func TestWhySaysWhatARollbackLeftInPlace(t *testing.T) {
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{
		{Subject: "prod/a", Phase: api.PhaseRolledBack, Stays: []string{"Namespace/infra", "ConfigMap/infra/c (it is immutable)"}},
	}}, time.Time{})
	if want := "  stays       Namespace/infra\n  stays       ConfigMap/infra/c (it is immutable)\n"; !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q", text, want)
	}
}

func TestWhyListsThePodsThatKeepABatch(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.Local)
	text := explain(engine.Explanation{Run: "a-1", Phase: api.PhaseStalled, Reasons: []engine.Reason{{
		Subject: "prod/c1", Phase: api.PhaseStalled, Waiting: &api.Waiting{Kind: "decision", Name: "progress"},
		Stuck: &api.Stuck{More: 2, Missing: 1, Pods: []api.Pod{{
			Name: "agent-x", Node: "node-3", Container: "agent", Image: "registry.local/agent:2", Reason: "CrashLoopBackOff", Restarts: 4, Since: at,
			Message: "back-off;\nit ended with exit code 2", Events: []string{"BackOff: Back-off restarting (7 times)"},
		}}},
		Holder: "a-9", ByItself: "as soon as", Commands: []string{"sluice resume a-1", "sluice abort a-1"}, Retry: "Prepare, attempt 3",
	}}}, at.Add(time.Minute))
	want := `
  pod         agent-x on node-3: CrashLoopBackOff, 4 restarts, since 2026-11-22 03:00:00 (1m0s ago)
    image     registry.local/agent:2 (container agent)
    says      back-off; it ended with exit code 2
    event     BackOff: Back-off restarting (7 times)
  and         2 more pods that are not as they should be
  missing     1 pods that nobody has made yet
  tries again Prepare, attempt 3
  held by     run a-9
  by itself   as soon as
  try         sluice resume a-1
              sluice abort a-1
`
	if !strings.Contains(text, want) {
		t.Errorf("it says\n%s\nwant\n%s", text, want)
	}
}

func TestWhySaysThatAStageBearsAFailure(t *testing.T) {
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{
		Subject: "prod/c1", Phase: api.PhaseFailed, Ending: &api.Ending{By: api.BySluice, Reason: "stage production bears it: 1 unit failed so far, maxFailures is 1"},
	}}}, time.Time{})
	if want := "  ended by    sluice: stage production bears it: 1 unit failed so far, maxFailures is 1\n"; !strings.Contains(text, want) {
		t.Errorf("it says\n%s", text)
	}
}

func TestWhyNamesFailedBatches(t *testing.T) {
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{
		Subject: "prod/c1", Phase: api.PhaseSucceeded, Counted: "logs/look, 37 of 100 times", Advises: []string{"logs/look: Failed: a\npanic"}, Borne: []string{"prod/c1/all/1: ready: no; cluster c1 bears it: 1 batch failed so far, maxBatchFailures is 1"},
	}}}, time.Time{})
	if want := "  measured    logs/look, 37 of 100 times\n  advises     logs/look: Failed: a panic\n  failed      prod/c1/all/1: ready: no; cluster c1 bears it: 1 batch failed so far, maxBatchFailures is 1\n"; !strings.Contains(text, want) {
		t.Errorf("it says\n%s", text)
	}
}

func TestWhyNamesWhatMayHaveBrokenAUnit(t *testing.T) {
	b := engine.Blame{More: 3, Note: "only the last 500 runs were looked at"}
	for i := range 6 {
		b.Suspects = append(b.Suspects, blame.Suspect{Why: "same cluster", Touch: blame.Touch{
			Kind: blame.Run, Run: fmt.Sprintf("proxy-%d", i), Component: api.Component("proxy"), Version: "1", Cluster: "c1", What: "prod/c1: Moving",
		}})
	}
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{Subject: "prod/c1", Phase: api.PhaseHeld, Blame: &b}}}, time.Time{})
	for _, want := range []string{
		"  suspects    1. proxy-0 (proxy 1) in c1: prod/c1: Moving; same cluster\n              2. proxy-1 ", "5. proxy-4 ",
		"              and 4 more; -o json lists them\n              note: only the last 500 runs were looked at\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "proxy-5") {
		t.Error("it names too many")
	}
}

func TestWhyNamesDeadNodes(t *testing.T) {
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.Local)
	text := explain(engine.Explanation{Run: "a-1", Reasons: []engine.Reason{{Subject: "prod/a", Behind: []goal.Behind{{
		Workload: "DaemonSet/infra/agent", NodeSet: "all", Count: 3, Total: 30,
		Nodes: []goal.Node{{Name: "n1", Why: "Ready is Unknown (NodeStatusUnknown)", Since: now.Add(-5 * time.Minute)}, {Name: "n2", Why: "tainted node.kubernetes.io/unreachable"}},
	}}}}}, now)
	for _, want := range []string{
		"  behind      3 of 30 nodes of DaemonSet/infra/agent, node set all\n",
		"n1: Ready is Unknown (NodeStatusUnknown), since ", "(5m0s ago)\n", "n2: tainted node.kubernetes.io/unreachable\n", "and 1 more\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestWhySaysWhatComesNextAndWhatCameLast(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 35, 0, 0, time.Local)
	for want, next := range map[string]engine.Next{
		"next: prod/a: batch 2 of all begins, at 2026-11-22 10:42:00 (in 7m0s)\n": {
			Subject: "prod/a", What: "batch 2 of all begins", At: at.Add(7 * time.Minute),
		},
		"next: freeze-1 is over, at 2026-11-22 10:34:00 (now)\n":       {What: "freeze-1 is over", At: at.Add(-time.Minute)},
		"next: prod/a: its pods get ready\n":                           {Subject: "prod/a", What: "its pods get ready"},
		"next: nothing, until ann approves (waits for approval all)\n": {What: "waits for approval all", Needs: "ann approves"},
	} {
		text := explain(engine.Explanation{Run: "a-1", Next: &next, Last: &engine.LastProgress{At: at.Add(-12 * time.Minute), What: "prod/a began"}}, at)
		if last := "last progress: 2026-11-22 10:23:00 (12m0s ago): prod/a began\n"; !strings.Contains(text, want+last) {
			t.Errorf("it says %q, want %q", text, want+last)
		}
	}
}
