package step

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

var (
	// Whether tells whether a task's conditions hold. An error is no answer.
	Whether = local[WhetherRequest, bool]("tasks.Whether")
	// Attempt makes one attempt at a task: its steps in order, each measured to its end.
	Attempt = checking[AttemptRequest, AttemptResult]("tasks.Attempt")
)

// WhetherRequest is the conditions of a task and what they may read.
type WhetherRequest struct {
	When    []pipelines.When       `json:"when"` // texts with their values in them
	Params  []pipelines.ParamValue `json:"params,omitempty"`
	Results []YieldedResult        `json:"results,omitempty"`
	Change  rule.Change            `json:"change"`
}

// YieldedResult is a result of a task that has ended.
type YieldedResult struct {
	Task   string               `json:"task"`
	Result pipelines.ParamValue `json:"result"`
}

// AttemptRequest asks for one attempt. It is in the cluster that the Ref names, and in none where that names none.
type AttemptRequest struct {
	Ref
	Point       pipelines.Point         `json:"point"` // beforeRun, or afterRun of what stands under finally
	Task        pipelines.ResolvedCheck `json:"task"`  // with the params of the combination
	Declared    []pipelines.TaskResult  `json:"declared,omitempty"`
	Matrix      bool                    `json:"matrix,omitempty"`
	Combination int                     `json:"combination,omitempty"` // of its matrix, from 0
	Number      int                     `json:"number"`                // of the attempt, from 1: what an attempt makes is its own
	Facts       rule.Facts              `json:"facts"`
}

// AttemptResult is what came of an attempt. It succeeded where every step passed and the results are within their bounds.
type AttemptResult struct {
	Succeeded bool                   `json:"succeeded,omitempty"`
	Reason    string                 `json:"reason"` // api.ReasonSucceeded and its like
	Message   string                 `json:"message,omitempty"`
	Steps     []api.Check            `json:"steps,omitempty"`
	Results   []pipelines.ParamValue `json:"results,omitempty"` // sorted by name
}
