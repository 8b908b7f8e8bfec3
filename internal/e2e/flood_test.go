package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// TestFloodOfCommandsDoesNotKeepAnAbortOut gives a run that waits for an approval five hundred commands in a moment, and an abort
// among them.
func TestFloodOfCommandsDoesNotKeepAnAbortOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, "flooded")
	s.work()
	s.install()
	s.declare("approved", "  defaults: {batches: [100%], maxUnavailable: 100%}\n  stages: [{name: all, clusterGroups: {all: true}, approvals: 1}]\n")
	run := s.start("2.0.0", "approved")
	s.until(run, "waiting for an approval", time.Minute, func(r api.RunStatus) bool { return r.Waiting != nil && r.Waiting.Kind == api.WaitApproval })

	const flood = 500
	const inFlight = 10 // Temporal's own limit of a run: these it took, and a slow worker answers them late
	var mu sync.Mutex
	said := map[string]int{}
	var aborted api.Answer
	var took time.Duration
	var all sync.WaitGroup
	for i := range flood {
		all.Go(func() {
			name := api.UpdateResume
			if i == flood/2 {
				name = api.UpdateAbort
			}
			begun := time.Now()
			a, err := s.engine.Command(t.Context(), run, name, api.Command{Who: fmt.Sprint("op", i), Reason: "a flood"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case name == api.UpdateAbort && err != nil:
				t.Errorf("the abort was not taken: %v", err)
			case name == api.UpdateAbort:
				aborted, took = a, time.Since(begun)
			case err != nil:
				said[fmt.Sprint(fault.CodeOf(err), ": ", err)]++
			default:
				said[strings.ReplaceAll(a.Message, run, "RUN")]++
			}
		})
	}
	all.Wait()
	end := s.ended(run, time.Minute)
	if end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
	if took > 15*time.Second { // it would be twenty, were it told as the others are
		t.Errorf("the abort was taken after %s: %+v", took, aborted)
	}
	refused, waits := 0, 0
	for words, n := range said {
		if strings.HasPrefix(words, string(fault.Conflict)) && strings.Contains(words, "more commands are given to it than Temporal lets a run take") {
			refused += n
		}
		if strings.Contains(words, "stands") {
			waits += n
		}
	}
	if waits > inFlight {
		t.Errorf("%d commands wait in the history of the run: %v", waits, said)
	}
	if refused == 0 {
		t.Errorf("none was refused: %v", said)
	}
}
