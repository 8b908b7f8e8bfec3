package tekton

import (
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// TaskRun is a cluster of a run, or one of its tasks.
type TaskRun struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   Meta          `json:"metadata"`
	Spec       TaskRunSpec   `json:"spec"`
	Status     TaskRunStatus `json:"status"`
}

// TaskRunSpec says what runs: a stage of the pipeline in a cluster, or a task.
type TaskRunSpec struct {
	TaskRef *Reference `json:"taskRef,omitempty"` // none where the task is written in place
}

// TaskRunStatus is where it is.
type TaskRunStatus struct {
	Conditions     []Condition     `json:"conditions"`
	StartTime      time.Time       `json:"startTime,omitzero"`
	CompletionTime time.Time       `json:"completionTime,omitzero"`
	Steps          []Step          `json:"steps,omitempty"`
	RetriesStatus  []TaskRunStatus `json:"retriesStatus,omitempty"`
	Results        []Value         `json:"results,omitempty"`
}

// Step is a check with its verdict, which is a result of it.
type Step struct {
	Name              string      `json:"name"`
	Terminated        *Terminated `json:"terminated,omitempty"`
	TerminationReason string      `json:"terminationReason,omitempty"` // Completed, Error, Skipped or Continued
	Results           []Value     `json:"results,omitempty"`
}

// Terminated is how a step ended.
type Terminated struct {
	ExitCode int    `json:"exitCode"`
	Reason   string `json:"reason"` // Completed or Error
	Message  string `json:"message,omitempty"`
}

// OfTask is one child of a run as a TaskRun, by the name that OfRun refers to it by. It is false where there is none, or none yet.
func OfTask(r *api.RunStatus, name string) (TaskRun, bool) {
	all := children(r)
	for i := range all {
		if c := &all[i]; c.name == name && c.state != waiting && c.state != skipped {
			return c.taskRun(r), true
		}
	}
	return TaskRun{}, false
}

func (c *child) taskRun(r *api.RunStatus) TaskRun {
	meta := Meta{Name: c.name, Labels: labels(r), Created: second(c.began)}
	meta.Labels["tekton.dev/pipelineTask"], meta.Labels["tekton.dev/memberOf"] = c.task, c.memberOf()
	run := TaskRun{APIVersion: APIVersion, Kind: "TaskRun", Metadata: meta, Status: TaskRunStatus{
		Conditions: []Condition{c.condition()}, StartTime: second(c.began), CompletionTime: second(c.ended),
	}}
	if c.unit != nil {
		run.Spec.TaskRef = &Reference{APIVersion: pipelines.APIVersion, Kind: "Stage", Name: c.unit.Stage}
		run.Metadata.Annotations = map[string]string{"sluice.dev/unit": c.unit.Path, "sluice.dev/phase": string(c.unit.Phase)}
		run.Status.Steps = unitSteps(c.unit)
		if c.state == succeeded && c.unit.Version != "" {
			run.Status.Results = []Value{{Name: "version", Type: "string", Value: c.unit.Version}}
		}
		return run
	}
	if c.of.Ref != "" {
		run.Spec.TaskRef = &Reference{APIVersion: pipelines.APIVersion, Kind: "Task", Name: c.of.Ref}
		run.Metadata.Labels["tekton.dev/task"] = c.of.Ref
	}
	run.Status.Steps = steps("", c.of.Steps)
	for _, v := range c.of.Results {
		run.Status.Results = append(run.Status.Results, valueOf(v))
	}
	for _, a := range c.of.Attempts {
		run.Status.RetriesStatus = append(run.Status.RetriesStatus, TaskRunStatus{
			Conditions: []Condition{{Type: "Succeeded", Status: isFalse, Reason: a.Reason, Message: a.Message, Since: second(a.Ended)}},
			StartTime:  second(a.Started), CompletionTime: second(a.Ended), Steps: steps("", a.Steps),
		})
	}
	return run
}

// unitSteps are the checks of a unit: of the cluster, then of its batches.
func unitSteps(u *api.UnitStatus) []Step {
	out := steps("", u.Checks)
	for _, b := range u.Batches {
		workload := strings.ToLower(strings.ReplaceAll(b.Workload, "/", "-"))
		out = append(out, steps(fmt.Sprintf("%s-%s-%d-", workload, b.NodeSet, b.Number), b.Checks)...)
	}
	return out
}

func steps(prefix string, checks []api.Check) []Step {
	var out []Step
	for _, c := range checks {
		s := Step{Name: prefix + strings.ReplaceAll(c.Name, "/", "-")}
		if c.At != "" {
			s.Name += "-" + strings.ToLower(strings.ReplaceAll(string(c.At), " ", "-"))
		}
		s.Results = []Value{{Name: "verdict", Type: "string", Value: string(c.Verdict)}}
		switch {
		case c.Verdict == api.Passed:
			s.Terminated, s.TerminationReason = &Terminated{Reason: "Completed", Message: c.Message}, "Completed"
		case c.Verdict == api.Skipped:
			s.Terminated, s.TerminationReason = &Terminated{ExitCode: 1, Reason: "Error", Message: c.Message}, "Skipped"
		default:
			s.Terminated, s.TerminationReason = &Terminated{ExitCode: 1, Reason: "Error", Message: c.Message}, "Error"
			if c.Advisory {
				s.TerminationReason = "Continued"
			}
		}
		out = append(out, s)
	}
	return out
}
