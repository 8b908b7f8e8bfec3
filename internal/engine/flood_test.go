package engine_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

func TestARunThatIsToldTooMuch(t *testing.T) {
	for said, err := range map[string]error{
		"at once": serviceerror.NewFailedPrecondition("limit on number of concurrent in-flight updates has been reached (10)"),
		"in all":  serviceerror.NewFailedPrecondition("The limit on the total number of distinct updates in this workflow has been reached (2000)."),
	} {
		t.Run(said, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) { return api.Answer{}, err }
			for _, name := range []string{api.UpdateAbort, api.UpdateRollback} {
				answer, err := b.Command(t.Context(), run.Name, name, api.Command{Who: "ann"})
				if err != nil || !answer.Stands || !strings.Contains(answer.Message, "more commands are given to it") {
					t.Errorf("%s: %+v, %v", name, answer, err)
				}
			}
			if n := len(b.temporal.signals); n != 2 {
				t.Errorf("%d orders stand", n)
			}
			go func() {
				for t.Context().Err() == nil {
					b.clock.Step(50 * time.Millisecond)
					time.Sleep(time.Millisecond)
				}
			}()
			_, refused := b.Command(t.Context(), run.Name, api.UpdatePause, api.Command{Who: "ann"})
			wants(t, refused, fault.Conflict, "cannot pause agent-1: more commands are given to it than Temporal lets a run take")
			if n := len(b.temporal.signals); n != 2 {
				t.Errorf("%d orders stand: a flood piles up in the run's history", n)
			}
		})
	}
}

func TestAnIDHasABound(t *testing.T) {
	b := newBench(t)
	run := b.started()
	_, err := b.Command(t.Context(), run.Name, api.UpdateAbort, api.Command{Who: "ann", ID: strings.Repeat("x", 201)})
	wants(t, err, fault.Invalid, "its id has 201 bytes")
}
