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

// TestFloodOfCommandsDoesNotKeepAnAbortOut gives a run that waits for an approval five hundred commands at a time, until an abort
// among them is answered.
func TestFloodOfCommandsDoesNotKeepAnAbortOut(t *testing.T) {
	turns.Take(t)
	s := newSite(t, "flooded")
	s.work()
	s.install()
	s.declare("approved", "  defaults: {batches: [100%], maxUnavailable: 100%}\n  stages: [{name: all, clusterGroups: {all: true}, approvals: 1}]\n")
	run := s.start("2.0.0", "approved")
	s.until(run, "waiting for an approval", time.Minute, func(r api.RunStatus) bool { return r.Waiting != nil && r.Waiting.Kind == api.WaitApproval })

	const flood = 500
	var mu sync.Mutex
	said := map[string]int{}
	full, over := make(chan struct{}), make(chan struct{}) // one has been refused; the abort has been answered
	var once sync.Once
	var all sync.WaitGroup
	for i := range flood {
		all.Go(func() {
			for {
				a, err := s.engine.Command(t.Context(), run, api.UpdateResume, api.Command{Who: fmt.Sprint("op", i), Reason: "a flood"})
				words := strings.ReplaceAll(a.Message, run, "RUN")
				if err != nil {
					words = fmt.Sprint(fault.CodeOf(err), ": ", err)
				}
				if isRefused(words) {
					once.Do(func() { close(full) })
				}
				mu.Lock()
				said[words]++
				mu.Unlock()
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	select {
	case <-full:
	case <-time.After(patience * time.Minute):
		t.Error("none was refused")
	}
	begun := time.Now()
	aborted, err := s.engine.Command(t.Context(), run, api.UpdateAbort, api.Command{Who: "ann", Reason: "a flood"})
	took := time.Since(begun)
	close(over)
	if err != nil {
		t.Errorf("the abort was not taken: %v", err)
	}
	all.Wait()
	end := s.ended(run, time.Minute)
	if end.Phase != api.PhaseAborted {
		t.Errorf("the run ended %s", end.Phase)
	}
	if took > 15*time.Second { // it would be twenty, were it told as the others are
		t.Errorf("the abort was taken after %s: %+v", took, aborted)
	}
	for words, n := range said {
		if strings.Contains(words, "stands") && n > flood/10 { // a slow worker answers late the few that Temporal takes at once
			t.Errorf("%d commands wait in the history of the run: %s", n, words)
		}
	}
}

func isRefused(words string) bool {
	return strings.HasPrefix(words, string(fault.Conflict)) && strings.Contains(words, "more commands are given to it than Temporal lets a run take")
}
