package checks

import (
	"context"
	"fmt"
	"strconv"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/tekton"
	"sluice.dev/sluice/pipelines"
)

// Attempt makes one attempt at a task of a run. It waits for a cluster out of reach.
func (a *Activities) Attempt(ctx context.Context, req step.AttemptRequest) (made step.AttemptResult, err error) {
	about := step.ChecksRequest{Ref: req.Ref, Point: req.Point, Checks: []pipelines.ResolvedCheck{req.Task}, Facts: req.Facts}
	_, err = a.with(ctx, about, true, func(ctx context.Context, i check.Inquiry) ([]api.Check, error) {
		task := req.Task.Name
		if req.Matrix {
			task += "-" + strconv.Itoa(req.Combination)
		}
		i.TaskRun, i.Retry = tekton.TaskRunName(req.Run, task), req.Number-1
		i.Key = fmt.Sprintf("%s/task/%d/%d", i.Key, req.Combination, req.Number)
		var err error
		made, err = a.Measurer.Attempt(ctx, i, req.Declared)
		return nil, err
	})
	return made, err
}
