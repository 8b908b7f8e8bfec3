package workflows_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
)

// TestBackgroundChecksCountOnWhereNoWorkerWasHeardOf: the workers of a site were away, and had counted.
func TestBackgroundChecksCountOnWhereNoWorkerWasHeardOf(t *testing.T) {
	w := newWorld(t, "a")
	w.background()
	w.lastLooks(api.Passed)
	had := check.Tallies{"logs/panics": {Measured: 40, Failed: 1}}
	w.env.OnActivity(step.Watch.Name(), mock.Anything, mock.Anything).Once().After(time.Second).
		Return(nil, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil, had))
	var before json.RawMessage
	asked := mock.MatchedBy(func(r step.ChecksRequest) bool { before = r.Before; return true })
	w.env.OnActivity(step.Watch.Name(), mock.Anything, asked).After(never).Return(
		func(context.Context, step.ChecksRequest) ([]api.Check, error) { return nil, nil })
	end := w.run(t)
	var got check.Tallies
	if err := json.Unmarshal(before, &got); end.Phase != api.PhaseSucceeded || err != nil || got["logs/panics"].Measured != 40 || got["logs/panics"].Failed != 1 {
		t.Errorf("the run ended as %s; the next activity goes on with %s, %v", end.Phase, before, err)
	}
}

// TestASecondWorkloadIsWatchedOnceTheFirstWatchHasEnded: what that had counted is handed on.
func TestASecondWorkloadIsWatchedOnceTheFirstWatchHasEnded(t *testing.T) {
	w := newWorld(t, "a")
	w.background()
	w.watches(watching{after: never})
	w.lastLooks(api.Passed)
	w.applies = func(found *step.DiffResult) {
		second := found.Cluster.Workloads[0]
		second.Object = "Deployment/infra/agent"
		found.Cluster.Workloads = append(found.Cluster.Workloads, second)
	}
	if end := w.run(t); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended as %s", end.Phase)
	}
	w.expect(t, []string{"Watch", "Advance a/1", "Advance a/2", "Prepare a", "Watch", "Advance a/1", "Advance a/2"}, nil)
}
