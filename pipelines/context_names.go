package pipelines

import (
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// Names by which texts of steps speak of what they are a step of, as Tekton has them.
const (
	ContextTaskRun = "context.taskRun.name"     // RUN-TASK, or RUN-CLUSTER of a check of a cluster
	ContextTask    = "context.task.name"        // of the task of the pipeline, or of the check
	ContextRetry   = "context.task.retry-count" // attempts before this one; 0 of a check
)

func contextNames() []string { return []string{ContextTaskRun, ContextTask, ContextRetry} }

// References by which values of a pipeline's tasks speak of the run.
const (
	ofRunName      = "pipelineRun.name"
	ofPipelineName = "pipeline.name"
)

// contextOf is the reference that a value of a task is, to the run and not to another task.
func contextOf(text string) (TaskReference, bool) {
	for _, of := range []string{ofRunName, ofPipelineName} {
		if text == "$(context."+of+")" {
			return TaskReference{Of: of}, true
		}
	}
	return TaskReference{}, false
}

// InContext is what a reference to the run stands for; false for any other.
func (r TaskReference) InContext(run, pipeline string) (string, bool) {
	switch r.Of {
	case ofRunName:
		return run, true
	case ofPipelineName:
		return pipeline, true
	}
	return "", false
}

func (r TaskReference) inContext() bool {
	_, ok := r.InContext("", "")
	return ok
}

// unknownContext says why a text of a step cannot name something of its context; "" where it can.
func unknownContext(name string, scope rule.Scope) string {
	switch {
	case !slices.Contains(contextNames(), name):
		return "there is no " + name + rule.Suggest(name, contextNames())
	case name == ContextTaskRun && scope == rule.ScopeStage:
		return "clusters and tasks have a TaskRun, and there is none " + whereOf(scope)
	}
	return ""
}
