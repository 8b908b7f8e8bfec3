package api

import (
	"slices"
	"strconv"
	"time"

	"sluice.dev/sluice/pipelines"
)

// TaskStatus is where a task of a run is: one that it does once, before its first stage or at its end. One with a matrix has a
// status for each combination.
type TaskStatus struct {
	Name        string `json:"name"` // of the pipeline's task
	DisplayName string `json:"displayName,omitempty"`
	Ref         string `json:"ref,omitempty"`         // the Task that it names; "" of one that is written in place
	Combination int    `json:"combination,omitempty"` // of its matrix, from 1; 0 where it has none
	Finally     bool   `json:"finally,omitempty"`
	// Pending, Moving, and the ends: Succeeded, Failed, Aborted, Skipped
	Phase   Phase  `json:"phase"`
	Reason  string `json:"reason,omitempty"` // in Tekton's words: a reason of TaskRuns, or why it was skipped
	Message string `json:"message,omitempty"`
	Cluster string `json:"cluster,omitempty"`

	Started  time.Time              `json:"started,omitzero"`
	Ended    time.Time              `json:"ended,omitzero"`
	Attempts []TaskAttempt          `json:"attempts,omitempty"` // that failed and were followed by another
	Steps    []Check                `json:"steps,omitempty"`    // of the last attempt
	Results  []pipelines.ParamValue `json:"results,omitempty"`  // sorted by name
	When     []pipelines.When       `json:"when,omitempty"`
	Waiting  *Waiting               `json:"waiting,omitempty"` // for what it has not started
}

// TaskAttempt is an attempt at a task that failed.
type TaskAttempt struct {
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Steps   []Check   `json:"steps,omitempty"`
}

// Label names the task, and its combination where it has several.
func (t *TaskStatus) Label() string {
	if t.Combination == 0 {
		return t.Name
	}
	return t.Name + "[" + strconv.Itoa(t.Combination) + "]"
}

// Broke reports whether the task ends its run: it failed, and nobody said that this does not matter.
func (t *TaskStatus) Broke() bool { return t.Phase == PhaseFailed && t.Reason != ReasonFailureIgnored }

// The reasons of a task that runs or has run, as Tekton's TaskRuns have them.
const (
	ReasonStarted              = "Started"
	ReasonRunning              = "Running"
	ReasonToBeRetried          = "ToBeRetried"
	ReasonSucceeded            = "Succeeded"
	ReasonFailed               = "Failed"
	ReasonFailureIgnored       = "FailureIgnored"
	ReasonTaskRunCancelled     = "TaskRunCancelled"
	ReasonTaskRunTimeout       = "TaskRunTimeout"
	ReasonTaskValidationFailed = "TaskValidationFailed"
	ReasonResultTooLarge       = "TaskRunResultLargerThanAllowedLimit"
)

// Why a task was skipped, in Tekton's words.
const (
	SkippedByWhen          = "When Expressions evaluated to false"
	SkippedWithParents     = "Parent Tasks were skipped"
	SkippedWithoutResults  = "Results were missing"
	SkippedAsStopping      = "PipelineRun was stopping"
	SkippedAsCancelled     = "PipelineRun was gracefully cancelled"
	SkippedPipelineTimeout = "PipelineRun timeout has been reached"
	SkippedTasksTimeout    = "PipelineRun Tasks timeout has been reached"
	SkippedFinallyTimeout  = "PipelineRun Finally timeout has been reached"
	SkippedForEmptyMatrix  = "Matrix Parameters have an empty array"
)

// TimeoutOf names one of a pipeline's timeouts.
type TimeoutOf string

// The timeouts of a pipeline.
const (
	TimeoutOfPipeline TimeoutOf = "pipeline"
	TimeoutOfTasks    TimeoutOf = "tasks"
	TimeoutOfFinally  TimeoutOf = "finally"
)

// TaskReport is what a run knows of the tasks that it does beside its stages.
type TaskReport struct {
	Tasks          []TaskStatus `json:"tasks,omitempty"`
	TimedOut       TimeoutOf    `json:"timedOut,omitempty"` // the first that ran out
	FinallyStarted time.Time    `json:"finallyStarted,omitzero"`
	// what the run hands out, known at its end, in the order of its pipeline; and the names of what had no room
	Results        []pipelines.ParamValue `json:"results,omitempty"`
	ResultsLeftOut []string               `json:"resultsLeftOut,omitempty"`
}

// Outcome is the final phase of a run whose units came to a phase, with what became of its tasks. What was taken back, or ended by
// somebody, stays that.
func (r *TaskReport) Outcome(units Phase, ended bool) Phase {
	aborted := func(t TaskStatus) bool { return t.Phase == PhaseAborted }
	switch {
	case (r.Broke() || r.TimedOut != "") && (units == PhaseSucceeded || units == PhaseAborted && !ended):
		return PhaseFailed
	case units == PhaseSucceeded && slices.ContainsFunc(r.Tasks, aborted):
		return PhaseAborted
	}
	return units
}

// Broke reports whether a task ends the run as failed.
func (r *TaskReport) Broke() bool {
	return slices.ContainsFunc(r.Tasks, func(t TaskStatus) bool { return t.Broke() })
}
