package tekton

import (
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// PipelineRun is a run.
type PipelineRun struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   Meta              `json:"metadata"`
	Spec       PipelineRunSpec   `json:"spec"`
	Status     PipelineRunStatus `json:"status"`
}

// PipelineRunSpec says what runs.
type PipelineRunSpec struct {
	PipelineRef Reference `json:"pipelineRef"`
}

// PipelineRunStatus is where the run is.
type PipelineRunStatus struct {
	Conditions       []Condition      `json:"conditions"`
	StartTime        time.Time        `json:"startTime,omitzero"`
	CompletionTime   time.Time        `json:"completionTime,omitzero"`
	FinallyStartTime time.Time        `json:"finallyStartTime,omitzero"`
	ChildReferences  []ChildReference `json:"childReferences,omitempty"`
	SkippedTasks     []SkippedTask    `json:"skippedTasks,omitempty"`
	Results          []Value          `json:"results,omitempty"`
}

// ChildReference names a TaskRun of the run.
type ChildReference struct {
	APIVersion      string           `json:"apiVersion"`
	Kind            string           `json:"kind"`
	Name            string           `json:"name"`
	DisplayName     string           `json:"displayName,omitempty"`
	PipelineTask    string           `json:"pipelineTaskName"`
	WhenExpressions []pipelines.When `json:"whenExpressions,omitempty"`
}

// SkippedTask is what the run left out, and why, in Tekton's words.
type SkippedTask struct {
	Name            string           `json:"name"`
	Reason          string           `json:"reason"`
	WhenExpressions []pipelines.When `json:"whenExpressions,omitempty"`
}

// OfRun is a run as a PipelineRun. Each cluster of a stage, and each task, is a TaskRun of it.
func OfRun(r *api.RunStatus) PipelineRun {
	meta := Meta{Name: r.Name, Labels: labels(r), Created: second(r.Started), Annotations: map[string]string{
		"sluice.dev/component": r.Subject.String(), "sluice.dev/version": r.Version,
		"sluice.dev/plan": r.Plan, "sluice.dev/phase": string(r.Phase),
	}}
	results := []Value{{Name: "version", Value: r.Version}}
	for _, v := range r.Results {
		results = slices.DeleteFunc(results, func(own Value) bool { return own.Name == v.Name }) // the pipeline's own word goes first
		results = append(results, Value{Name: v.Name, Value: valueOf(v).Value})
	}
	all := children(r)
	status := PipelineRunStatus{
		Conditions: []Condition{condition(r, all)}, StartTime: second(r.Started), CompletionTime: second(r.Ended),
		FinallyStartTime: second(r.FinallyStarted),
		Results:          results,
	}
	for i := range all {
		c := &all[i]
		switch {
		case c.state == skipped:
			if !slices.ContainsFunc(status.SkippedTasks, func(s SkippedTask) bool { return s.Name == c.task }) {
				status.SkippedTasks = append(status.SkippedTasks, SkippedTask{Name: c.task, Reason: c.reason, WhenExpressions: c.when()})
			}
		case c.state != waiting:
			status.ChildReferences = append(status.ChildReferences, ChildReference{
				APIVersion: APIVersion, Kind: "TaskRun", Name: c.name, DisplayName: c.display, PipelineTask: c.task, WhenExpressions: c.when(),
			})
		}
	}
	return PipelineRun{
		APIVersion: APIVersion, Kind: "PipelineRun", Metadata: meta,
		Spec: PipelineRunSpec{PipelineRef: Reference{Name: r.Pipeline}}, Status: status,
	}
}

func (c *child) when() []pipelines.When {
	if c.of == nil {
		return nil
	}
	return c.of.When
}

// The reasons of a PipelineRun's condition that a run can have.
const (
	runStarted          = "Started"
	runRunning          = "Running"
	runStopping         = "PipelineRunStopping"
	runCancelledFinally = "CancelledRunningFinally"
	runTimeoutFinally   = "PipelineRunTimeoutRunningFinally"
	runCancelled        = "Cancelled"
	runSucceeded        = "Succeeded"
	runCompleted        = "Completed"
	runFailed           = "Failed"
	runTimeout          = "PipelineRunTimeout"
)

// condition is that of the run. What failed goes before who ended it.
func condition(r *api.RunStatus, all []child) Condition {
	count := counted(all)
	cond := Condition{Type: "Succeeded", Status: isUnknown, Since: second(r.Started), Message: count.message(r.Phase.Final())}
	byPerson := r.Ending != nil && !r.Ending.ByItself()
	if !r.Phase.Final() {
		cond.Reason = goingOn(r, byPerson)
		return cond
	}
	cond.Since = second(r.Ended)
	switch {
	case r.Phase == api.PhaseSucceeded && count[skipped] > 0:
		cond.Status, cond.Reason = isTrue, runCompleted
	case r.Phase == api.PhaseSucceeded:
		cond.Status, cond.Reason = isTrue, runSucceeded
	case r.TimedOut == api.TimeoutOfTasks || r.TimedOut == api.TimeoutOfPipeline:
		cond.Status, cond.Reason = isFalse, runTimeout
	case count[failed] > 0 || r.Phase == api.PhaseFailed || r.Phase == api.PhaseRolledBack && !byPerson:
		cond.Status, cond.Reason = isFalse, runFailed
	default:
		cond.Status, cond.Reason = isFalse, runCancelled
	}
	return cond
}

// goingOn is the reason of a run that has not ended.
func goingOn(r *api.RunStatus, byPerson bool) string {
	final := slices.ContainsFunc(r.Tasks, func(t api.TaskStatus) bool { return t.Finally })
	switch {
	case r.TimedOut == api.TimeoutOfTasks && !r.FinallyStarted.IsZero():
		return runTimeoutFinally
	case byPerson && final:
		return runCancelledFinally
	case byPerson:
		return runCancelled
	case r.Ending != nil, r.Broke(), r.TimedOut != "":
		return runStopping
	case r.Phase == api.PhasePending:
		return runStarted
	}
	return runRunning
}

// counts is how many children are in each state.
type counts [skipped + 1]int

// counted counts what a pipeline names: the combinations of a matrix are one task, which is as bad as the worst of them.
func counted(all []child) (n counts) {
	for i := 0; i < len(all); i++ {
		worst := all[i].state
		for all[i].combined() && i+1 < len(all) && all[i+1].combined() && all[i+1].task == all[i].task {
			i++
			worst = worse(worst, all[i].state)
		}
		n[worst]++
	}
	return n
}

func (c *child) combined() bool { return c.of != nil && c.of.Combination > 0 }

// worse is the state of two combinations together: open where one is, else failed before cancelled before the rest.
func worse(a, b state) state {
	for _, s := range []state{running, waiting, failed, cancelled, ignored, succeeded} {
		if a == s || b == s {
			return s
		}
	}
	return skipped
}

// message says how many tasks there were, in the form that Tekton's has.
func (n counts) message(ended bool) string {
	lost := n[failed] + n[ignored]
	text := fmt.Sprintf("Tasks Completed: %d (Failed: %d", n[succeeded]+lost+n[cancelled], lost)
	if n[ignored] > 0 {
		text += fmt.Sprintf(" (Ignored: %d)", n[ignored])
	}
	text += fmt.Sprintf(", Cancelled %d)", n[cancelled])
	if !ended {
		text += fmt.Sprintf(", Incomplete: %d", n[waiting]+n[running])
	}
	return text + fmt.Sprintf(", Skipped: %d", n[skipped])
}
