package pipelines

import (
	"fmt"
	"strings"
)

// PipelineTask is a Task that a run does once: under tasks before its first stage, under finally at its end, whatever happened.
type PipelineTask struct {
	Name        string    `json:"name" is:"name"`
	DisplayName string    `json:"displayName,omitempty"`
	TaskRef     *TaskRef  `json:"taskRef,omitempty"`           // a Task by name
	TaskSpec    *TaskSpec `json:"taskSpec,omitempty"`          // a Task written in place; it reads its own params only
	Cluster     string    `json:"cluster,omitempty" is:"name"` // where steps look and run that need a cluster
	// a value may also be $(params.NAME) or $(tasks.TASK.results.NAME); under finally $(tasks.TASK.status), .reason, $(tasks.status) too
	Params   []ParamValue `json:"params,omitempty" items:"0..50"`
	RunAfter []string     `json:"runAfter,omitempty" is:"name" items:"1..100"` // tasks of the same list that go before
	When     []When       `json:"when,omitempty" items:"1..20"`                // all must hold, or the task is skipped
	Matrix   *Matrix      `json:"matrix,omitempty"`                            // the task once for each combination
	Retries  int          `json:"retries,omitempty" range:"0..10"`             // further attempts of one that failed
	Timeout  *Duration    `json:"timeout,omitempty"`                           // of each attempt; default none
	OnError  OnError      `json:"onError,omitempty"`                           // default stopAndFail
	Position Position     `json:"-"`
}

// OnError says what becomes of a run in which a task fails.
type OnError string

// StopAndFail ends the run before anything else of it starts, but for finally. ContinueOnError counts the failure as none.
const (
	StopAndFail     OnError = "stopAndFail"
	ContinueOnError OnError = "continue"
)

func (OnError) values() []string { return []string{string(StopAndFail), string(ContinueOnError)} }

// When is a condition of a task: a rule in CEL, or a text that must be among values, or not among them.
type When struct {
	CEL      string       `json:"cel,omitempty" is:"text"` // over params, tasks.TASK.results.NAME and change
	Input    string       `json:"input,omitempty"`
	Operator WhenOperator `json:"operator,omitempty"`
	Values   []string     `json:"values,omitempty" items:"1..100"`
	Reads    []string     `json:"-"` // tasks whose results the rule reads; known once the documents are loaded
	Position Position     `json:"-"` // of the rule's first character
}

// WhenOperator compares the input of a condition with its values.
type WhenOperator string

// The operators of a condition.
const (
	WhenIn    WhenOperator = "in"
	WhenNotIn WhenOperator = "notin"
)

func (WhenOperator) values() []string { return []string{string(WhenIn), string(WhenNotIn)} }

// Matrix runs a task once for each combination of values: at most 256 times.
type Matrix struct {
	Params  []MatrixParam   `json:"params,omitempty" items:"1..20"`
	Include []MatrixInclude `json:"include,omitempty" items:"1..256"` // combinations that are added to, or beside those of params
}

// MatrixParam is a param with the values that it takes in turn. Without any, the task is skipped.
type MatrixParam struct {
	Name  string       `json:"name" is:"identifier"`
	Value MatrixValues `json:"value" is:"scalar" items:"0..256"`
}

// MatrixValues are values of a param. One that is $(params.ARRAY[*]) is all items of an array of the pipeline, and may stand without a
// list around it.
type MatrixValues []any

// MatrixInclude adds params to the combinations that have its values of the matrix's params; where there is none, it is one.
type MatrixInclude struct {
	Name   string       `json:"name,omitempty" is:"name"`
	Params []ParamValue `json:"params" items:"1..50"`
}

// Timeouts bound what a run does beside its stages. Nothing bounds a stage: no timeout ends what moves. "0" is none, and so is
// what is not said.
type Timeouts struct {
	Pipeline *Duration `json:"pipeline,omitempty"` // tasks and finally together; at least their sum
	Tasks    *Duration `json:"tasks,omitempty"`    // from the first start of tasks to their last end
	Finally  *Duration `json:"finally,omitempty"`  // the same of finally
}

// TaskResult is a value that a Task yields: what a step of it hands out under the same name.
type TaskResult struct {
	Name        string    `json:"name" is:"identifier"`
	Type        ParamType `json:"type,omitempty"` // default object where properties are, else string
	Description string    `json:"description,omitempty"`
	// of an object: its keys, all of which have a value
	Properties map[string]Property `json:"properties,omitempty" keys:"identifier" items:"1..50"`
}

// Check makes a value that a program has yielded one of the result's type, with all of its keys.
func (r *TaskResult) Check(value any) (any, error) {
	typed, err := r.Type.Convert(value)
	if err != nil {
		return nil, err
	}
	if given, ok := typed.(map[string]string); ok {
		if missing := lacking(r.Properties, given); len(missing) > 0 {
			return nil, fmt.Errorf("has no key %s", strings.Join(missing, ", "))
		}
	}
	return typed, nil
}
