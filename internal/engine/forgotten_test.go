package engine_test

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// TestARunThatTheLedgerHasForgotten is executed by Temporal, and keeps others of its component from starting while it is open.
func TestARunThatTheLedgerHasForgotten(t *testing.T) {
	const lost, older = "agent-2", "agent-1"
	for name, c := range map[string]struct {
		open, ours bool
		named      string // what the new run is called; "" where there is none
		says       string // of the forgotten one
	}{
		"it is open":                 {true, true, "", "cannot find run agent-2: namespace default at fake:7233 executes it"},
		"it has ended":               {false, true, "agent-3", "cannot find run agent-2"},
		"it is another ledger's":     {true, false, "agent-3", "cannot find run agent-2"},
		"another ledger's has ended": {false, false, "agent-3", "cannot find run agent-2"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.plan()
			installation, err := b.ledger.Installation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.temporal.queue = "sluice-another"
			if c.ours {
				b.temporal.queue = api.Queue(installation)
			}
			gone := map[string]enumspb.WorkflowExecutionStatus{older: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}
			if b.temporal.closed = gone; c.open {
				b.temporal.open = map[string]bool{lost: true}
			} else {
				gone[lost] = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			}
			run, err := b.Run(t.Context(), engine.RunRequest{Plan: p.Hash, By: "ann"})
			if c.named == "" {
				wants(t, err, fault.Refused, "executes agent-2, and the ledger has forgotten it")
			} else if err != nil || run.Name != c.named {
				t.Errorf("it starts %s, %v; want %s", run.Name, err, c.named)
			}
			_, err = b.Status(t.Context(), lost)
			wants(t, err, fault.NotFound, c.says)
			_, err = b.Command(t.Context(), lost, api.UpdateAbort, api.Command{Who: "ann", Reason: "lost"})
			wants(t, err, fault.NotFound, c.says)
			_, err = b.SeenForRun(t.Context(), lost)
			wants(t, err, fault.NotFound, c.says)
		})
	}
}

// TestNoRetryBesideARunThatTheLedgerHasForgotten: it may move the clusters that are to be tried again. What goes back is kept by nothing.
func TestNoRetryBesideARunThatTheLedgerHasForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		open    bool
		says    string // "" where it is taken
	}{
		"a retry while it is open":    {api.UpdateRetry, true, "cannot retry agent-1: namespace default at fake:7233 executes agent-2, and the ledger has forgotten it"},
		"a retry once it has ended":   {api.UpdateRetry, false, ""},
		"a rollback while it is open": {api.UpdateRollback, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.end(run, moved("c1"), ended("c2", api.PhaseFailed))
			installation, err := b.ledger.Installation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.temporal.queue = api.Queue(installation)
			b.temporal.closed = map[string]enumspb.WorkflowExecutionStatus{run.Name: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}
			b.temporal.open = nil
			if c.open {
				b.temporal.open = map[string]bool{"agent-2": true}
			} else {
				b.temporal.closed["agent-2"] = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			}
			starts := b.rollouts()
			_, err = b.Command(t.Context(), run.Name, c.command, api.Command{Who: "bob", Reason: "once more"})
			if c.says != "" {
				wants(t, err, fault.Refused, c.says)
			} else if err != nil {
				t.Error(err)
			}
			if begun := b.rollouts() > starts; begun != (c.says == "") {
				t.Errorf("a run was started: %v", begun)
			}
		})
	}
}
