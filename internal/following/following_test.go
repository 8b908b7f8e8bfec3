package following_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"go.temporal.io/sdk/client"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/following"
	"sluice.dev/sluice/internal/ledger"
)

type kept []string

func (k kept) ListKept(_ context.Context, kind string) (all []ledger.Kept, err error) {
	if kind != "Source" {
		return nil, errors.New("nobody asked for that")
	}
	for _, name := range k {
		all = append(all, ledger.Kept{Kind: kind, Name: name, Document: json.RawMessage(`{}`)})
	}
	return all, nil
}

type workflows struct{ started []string }

func (w *workflows) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	if o.ID == "q/source/broken" {
		return nil, errors.New("no")
	}
	w.started = append(w.started, o.ID)
	return nil, nil
}

func TestEachSourceIsFollowed(t *testing.T) {
	w := &workflows{}
	k := &following.Keeper{Ledger: kept{"a", "broken", "c"}, Temporal: w, Queue: "q", Clock: clock.RealClock{}}
	if err := k.Look(t.Context()); err == nil || err.Error() != "source broken: no" {
		t.Errorf("it says %v", err)
	}
	if !slices.Equal(w.started, []string{"q/source/a", "q/source/c"}) {
		t.Errorf("it has started %v", w.started)
	}
}
