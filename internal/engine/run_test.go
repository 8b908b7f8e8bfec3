package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func TestRunStartsTheWorkflowUnderItsName(t *testing.T) {
	b := newBench(t)
	run := b.started()
	if run.Name != "agent-1" {
		t.Fatalf("run is called %s, want agent-1", run.Name)
	}
	o, in := b.temporal.started[1], b.temporal.inputs[1].(api.RolloutInput)
	if o.ID != run.Name || !strings.HasPrefix(o.TaskQueue, "sluice-") || o.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE {
		t.Errorf("started with %+v, want the run's name, used once", o)
	}
	if in.Run != run.Name || in.Plan != run.Plan || in.By != "ann (unverified)" || in.Reason != "why not" || in.Back != nil {
		t.Errorf("started on %+v", in)
	}
	if o.StaticSummary != "agent 1.0.0 by careful" {
		t.Errorf("summary is %q", o.StaticSummary)
	}
	for _, words := range []string{run.Plan, "abc", "not committed", "**ann (unverified)**: why not", "| all | 2 | 1 | 0 |"} {
		if !strings.Contains(o.StaticDetails, words) {
			t.Errorf("details do not say %q:\n%s", words, o.StaticDetails)
		}
	}
	if n := o.TypedSearchAttributes.Size(); n != 5 {
		t.Errorf("started with %d search attributes, want 5", n)
	}
	entries, err := b.Audit(t.Context(), run.Name, 1)
	if err != nil || len(entries) != 1 || entries[0].Reason != "why not" {
		t.Errorf("audit has %+v, %v", entries, err)
	}
}

func TestRunIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		before func(*bench, *engine.Planned)
		code   fault.Code
		words  []string
	}{
		"an open run moves the same clusters": {
			reason: "the other run is named (R15)",
			before: func(b *bench, _ *engine.Planned) { b.started() },
			code:   fault.Refused, words: []string{"agent-1", "c1", "sluice abort agent-1"},
		},
		"something else was deployed since": {
			reason: "its way back is no longer what people read (R31)",
			before: func(b *bench, _ *engine.Planned) { b.deploy("c2", "agent-9", "0.9.0") },
			code:   fault.Refused, words: []string{"c2 (nothing then, 0.9.0 by agent-9 now)", "plan again"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.plan()
			c.before(b, p)
			before := len(b.temporal.started)
			_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "bob"})
			wants(t, err, c.code, c.words...)
			if len(b.temporal.started) != before {
				t.Errorf("a workflow was started: %s", c.reason)
			}
			entries, err := b.Audit(t.Context(), p.Hash, 1)
			if err != nil || len(entries) != 1 || entries[0].Who != "bob (unverified)" || !strings.HasPrefix(entries[0].Outcome, "refused: ") {
				t.Errorf("audit has %+v, %v; want that bob was refused", entries, err)
			}
		})
	}
}

func TestRunAfterOneThatTemporalLost(t *testing.T) {
	b := newBench(t)
	first := b.started()
	b.temporal.open = nil
	second, err := b.Run(t.Context(), engine.RunRequest{Plan: first.Plan, By: "ann"})
	if err != nil {
		t.Fatalf("a run without a workflow blocks the next one (R17): %v", err)
	}
	if second.Name != "agent-2" {
		t.Errorf("run is called %s, want agent-2", second.Name)
	}
}

func TestNamesThatTemporalKnowsAreLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		before func(*bench)
		want   string
		code   fault.Code
		left   string // a run that the ledger does not know
	}{
		"an open one": {
			reason: "a ledger that was restored must not end a run that it has forgotten", want: "agent-2", left: "agent-1",
			before: func(b *bench) { b.temporal.open = map[string]bool{"agent-1": true} },
		},
		"some, open and closed": {
			reason: "no name is used twice", want: "agent-4", left: "agent-3",
			before: func(b *bench) {
				b.temporal.open = map[string]bool{"agent-3": true}
				b.temporal.closed = map[string]enumspb.WorkflowExecutionStatus{
					"agent-1": enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "agent-2": enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
				}
			},
		},
		"one that somebody takes meanwhile": {
			reason: "the next one is tried", want: "agent-2",
			before: func(b *bench) {
				start := b.temporal.onStart
				b.temporal.onStart = func(o client.StartWorkflowOptions, in any) error {
					if o.ID == "agent-1" {
						return serviceerror.NewWorkflowExecutionAlreadyStarted("it is there", "", "")
					}
					return start(o, in)
				}
			},
		},
		"all": {
			reason: "it is the ledger of something else", code: fault.Conflict,
			before: func(b *bench) {
				b.temporal.open = map[string]bool{}
				for i := range 1000 {
					b.temporal.open[fmt.Sprint("agent-", i+1)] = true
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.plan()
			c.before(b)
			run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
			if c.code != "" {
				wants(t, err, c.code, "another ledger's")
				return
			}
			if err != nil || run.Name != c.want {
				t.Fatalf("it is called %q, %v; want %s: %s", run.Name, err, c.want, c.reason)
			}
			if last := b.temporal.started[len(b.temporal.started)-1]; last.ID != c.want {
				t.Errorf("workflow %s was started", last.ID)
			}
			if _, err := b.ledger.Run(t.Context(), c.left); c.left != "" && fault.CodeOf(err) != fault.NotFound {
				t.Errorf("the ledger says something of %s, which it knows nothing of: %v", c.left, err)
			}
		})
	}
}

func TestAHotfixWaitsOutNoSoak(t *testing.T) {
	for _, c := range []struct {
		reason string
		before func(*bench, ledger.Run)
		code   fault.Code
	}{
		{"every cluster has arrived, and its stage soaks", func(b *bench, r ledger.Run) {
			b.deploy("c1", r.Name, r.Version)
			b.deploy("c2", r.Name, r.Version)
		}, ""},
		{"one is still to come", func(b *bench, r ledger.Run) { b.deploy("c1", r.Name, r.Version) }, fault.Refused},
		{"they are being taken back", func(b *bench, r ledger.Run) {
			b.deploy("c1", r.Name, r.Version)
			b.deploy("c2", r.Name, r.Version)
			b.temporal.phases = map[string]string{r.Name: "RollingBack"}
		}, fault.Refused},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			c.before(b, b.started())
			_, err := b.Run(t.Context(), engine.RunRequest{Plan: b.plan().Hash, By: "bob"})
			if c.code != "" {
				wants(t, err, c.code, "agent-1")
				return
			}
			if err != nil {
				t.Errorf("it was refused: %v", err)
			}
		})
	}
}

func TestRunThatCannotStartIsNotOpen(t *testing.T) {
	b := newBench(t)
	p := b.plan()
	b.temporal.onStart = func(client.StartWorkflowOptions, any) error { return errors.New("no") }
	_, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
	if err == nil {
		t.Fatal("no error")
	}
	run, err := b.ledger.Run(t.Context(), "agent-1")
	if err != nil {
		t.Fatal(err)
	}
	if run.Ended.IsZero() || run.Phase != string(api.PhaseFailed) {
		t.Errorf("it looks open: %+v", run)
	}
}
