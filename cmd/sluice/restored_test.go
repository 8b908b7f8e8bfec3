package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
)

// TestTheLedgerIsRestored has the whole ledger be put back as it was before two runs, while a server and a worker run. Temporal goes on
// with the runs: their names are not given away, a key that the ledger has forgotten starts no second one beside them, and whoever asks is
// told of them.
func TestTheLedgerIsRestored(t *testing.T) {
	database := postgrestest.Start(t)
	in := install(t, database.Database(t))
	at := in.serve()
	ann, bob := in.as("ann", at.at), in.as("bob", at.at)
	run, lost := in.of("before")+"-1", in.of("after")+"-1"
	before := in.plan(ann, in.of("before"))
	restore := database.Backup(t, in.database)
	after := in.plan(ann, in.of("after"))
	for key, plan := range map[string]string{"1": before, "2": after} {
		if status, answer := in.run("ann", at, key, plan); status != http.StatusOK {
			t.Fatalf("no run starts: %d %s", status, answer)
		}
	}
	in.until(run, at, api.PhaseWaiting)
	in.until(lost, at, api.PhaseWaiting)
	restore()

	// Connections were cut off: the first to ask is the first to hear so.
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err := ann.Runs(t.Context(), engine.RunsQuery{}); err == nil {
			break
		}
	}
	for _, forgotten := range []string{run, lost} {
		_, err := ann.Status(t.Context(), forgotten)
		if fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "the ledger has forgotten it") {
			t.Errorf("of a run that Temporal executes he hears: %v", err)
		}
		_, err = bob.Command(t.Context(), forgotten, api.UpdateApprove, api.Command{Plan: before, Reason: "read it"})
		if fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "the ledger has forgotten it") {
			t.Errorf("who approves it hears: %v", err)
		}
	}
	next := in.of("before") + "-2"
	if _, err := ann.Status(t.Context(), next); err == nil || strings.Contains(err.Error(), "forgotten") {
		t.Errorf("of a run that there never was he hears: %v", err)
	}
	if said := in.work("executes runs that the ledger has forgotten"); !strings.Contains(said, lost+" "+run) {
		t.Errorf("a worker says %s", said)
	}
	if status, answer := in.run("ann", at, "2", after); status != http.StatusNotFound {
		t.Errorf("a plan that was forgotten is started: %d %s", status, answer)
	}
	if status, answer := in.run("ann", at, "1", before); status != http.StatusForbidden || !strings.Contains(answer, "executes "+run) {
		t.Errorf("a second run begins beside the first: %d %s", status, answer)
	}

	// What is to be done is what the refusal says.
	temporal, err := engine.Dial(t.Context(), engine.DialOptions{Address: in.temporal})
	if err != nil {
		t.Fatal(err)
	}
	defer temporal.Close()
	if err := temporal.CancelWorkflow(t.Context(), run, ""); err != nil {
		t.Fatal(err)
	}
	var status int
	var answer string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if status, answer = in.run("ann", at, "1", before); status == http.StatusOK {
			break
		}
	}
	if !strings.Contains(answer, next) {
		t.Fatalf("once it has ended: %d %s", status, answer)
	}
	in.until(next, at, api.PhaseWaiting)
	if _, err := bob.Command(t.Context(), next, api.UpdateApprove, api.Command{Plan: before, Reason: "read it"}); err != nil {
		t.Fatal(err)
	}
	in.until(next, at, api.PhaseSucceeded)
}
