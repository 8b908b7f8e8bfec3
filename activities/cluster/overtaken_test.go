package cluster

import (
	"context"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
)

func TestFailureMode_R25_ARunThatReturnsGoesOnNowhere(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}`})
	late := w.ref // it had not come to the cluster
	w.lock()
	d := w.diff()
	held := w.ref // it had only its Lease there
	direct := w.begin(ledger.Run{Back: held.Run, Direct: true})

	writes := step.ApplyRequest{Ref: held, Changes: d.Changes}
	for what, err := range map[string]error{
		"begin": of(ahead(w.acts, w.acts.Acquire)(t.Context(), late)),
		"write": of(ahead(w.acts, w.acts.Apply)(t.Context(), writes)),
		"record": of(w.acts.Release(t.Context(), step.ReleaseRequest{
			Ref: held, Outcome: api.PhaseSucceeded, Changes: d.Changes,
		})),
	} {
		for _, words := range []string{direct.Run + " took " + held.Run + " back without Temporal", "sluice reconcile " + held.Run + " --reason"} {
			if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), words) {
				t.Errorf("it is not to %s, and hears %v, without %q", what, err, words)
			}
		}
	}
	if w.object("v1", "ConfigMap", "settings") != nil {
		t.Error("it has written")
	}
	if _, err := w.acts.Release(t.Context(), step.ReleaseRequest{Ref: held, Outcome: api.PhaseAborted}); err != nil {
		t.Errorf("it is to free its Lease: %v", err)
	}
	if _, err := ahead(w.acts, func(context.Context, step.Ref) (int, error) { return 0, nil })(t.Context(), direct); err != nil {
		t.Errorf("the direct run itself goes on: %v", err)
	}
}

func of[T any](_ T, err error) error { return err }
