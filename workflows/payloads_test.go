package workflows_test

import (
	"context"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	keyring "sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/workflows"
)

// replayed replays a history on a worker that has some keys.
func replayed(t *testing.T, h *historypb.History, keys *keyring.Ring) error {
	t.Helper()
	values := keys.Converter(nil)
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter: values, FailureConverter: keys.Failures(values),
	})
	if err != nil {
		t.Fatal(err)
	}
	workflows.Register(replayer)
	start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: start.GetWorkflowId(), RunID: start.GetOriginalExecutionRunId()},
	})
}

// TestKeysChangeNothingThatIsAsked replays what was begun without keys on a worker that has one, and the same encrypted. A worker without
// the key takes up none of those, and fails none: what it cannot read decides nothing.
func TestKeysChangeNothingThatIsAsked(t *testing.T) {
	keys, err := keyring.Of("k", []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range historyFiles(t, "*") {
		h := read(t, file)
		if err := replayed(t, h, keys); err != nil {
			t.Errorf("%s, as it is: %v", nameOf(file), err)
		}
		err := proxy.VisitPayloads(context.Background(), h, proxy.VisitPayloadsOptions{
			SkipSearchAttributes: true,
			Visitor: func(ctx *proxy.VisitPayloadsContext, all []*commonpb.Payload) ([]*commonpb.Payload, error) {
				if _, is := ctx.Parent.(*commonpb.Header); is {
					return all, nil
				}
				return keys.Encode(all)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := replayed(t, h, keys); err != nil {
			t.Errorf("%s, encrypted: %v", nameOf(file), err)
		}
		if i%20 > 0 {
			continue
		}
		if err := replayed(t, h, nil); err == nil || strings.Contains(err.Error(), "unable to decode") ||
			!strings.Contains(err.Error(), `its key "k"`) {
			t.Errorf("%s, encrypted, and without the key: %v", nameOf(file), err)
		}
	}
}
