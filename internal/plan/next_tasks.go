package plan

import (
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// TasksBegin are the statuses of tasks that have not begun: one for each combination of each, and one for a task that has none.
func TasksBegin(tasks []Task, finally bool) (all []api.TaskStatus) {
	for _, t := range tasks {
		for i := range max(1, len(t.Combinations)) {
			s := api.TaskStatus{
				Name: t.Name, DisplayName: t.DisplayName, Ref: t.Ref, Finally: finally, Phase: api.PhasePending, Cluster: t.Cluster, When: t.When,
			}
			if t.Matrix && len(t.Combinations) > 0 {
				s.Combination = i + 1
			}
			all = append(all, s)
		}
	}
	return all
}

// TasksNow is where the tasks of a list are.
type TasksNow struct {
	List    []Task
	Status  []api.TaskStatus // of all tasks of the run
	Halt    string           // why no further task starts, in the words of one that is skipped; "" while they do
	Paused  bool             // none starts for now
	Started map[string]bool  // tasks that somebody has set out with; only looked up

	Run, Pipeline string // their names
}

// TasksNext is what follows from there.
type TasksNext struct {
	Skip  []SkippedTask
	Start []int // indexes of List
	Done  bool  // each has ended
}

// SkippedTask is a task of a list that will not start, and why.
type SkippedTask struct {
	Index  int
	Reason string
}

// Next says which tasks start, which never will, and whether all have ended. Call it again once skips are noted: others follow.
// A task waits for all that it runs after or reads. One that conditions kept from starting holds nobody back but those that read
// it; one that was skipped for any other reason takes all that come after it along.
func (n TasksNow) Next() (next TasksNext) {
	next.Done = true
	for i := range n.List {
		t := &n.List[i]
		phase := n.phase(t.Name)
		if phase.Final() {
			continue
		}
		next.Done = false
		switch {
		case n.Started[t.Name]:
		case n.Halt != "":
			next.Skip = append(next.Skip, SkippedTask{i, n.Halt})
		case slices.ContainsFunc(t.After, func(name string) bool { return !n.phase(name).Final() }):
		case slices.ContainsFunc(t.After, n.withParents):
			next.Skip = append(next.Skip, SkippedTask{i, api.SkippedWithParents})
		case slices.ContainsFunc(t.Reads, func(name string) bool { return !n.yields(name, t) }):
			next.Skip = append(next.Skip, SkippedTask{i, api.SkippedWithoutResults})
		case len(t.Combinations) == 0:
			next.Skip = append(next.Skip, SkippedTask{i, api.SkippedForEmptyMatrix})
		case !n.Paused:
			next.Start = append(next.Start, i)
		}
	}
	return next
}

// of lists the statuses of a task: one, or one for each combination.
func (n TasksNow) of(name string) (all []*api.TaskStatus) {
	for i := range n.Status {
		if n.Status[i].Name == name {
			all = append(all, &n.Status[i])
		}
	}
	return all
}

// phase is that of all combinations of a task together: Pending while one has not ended, else that of the worst.
func (n TasksNow) phase(name string) api.Phase {
	worst := api.PhaseSkipped
	for _, s := range n.of(name) {
		switch {
		case !s.Phase.Final():
			return api.PhasePending
		case s.Broke():
			worst = api.PhaseFailed
		case s.Phase == api.PhaseAborted && worst != api.PhaseFailed:
			worst = api.PhaseAborted
		case worst == api.PhaseSkipped && s.Phase != api.PhaseSkipped:
			worst = api.PhaseSucceeded // also where a failure counts as nothing
		}
	}
	return worst
}

// withParents reports whether a task was skipped in a way that takes along what comes after it.
func (n TasksNow) withParents(name string) bool {
	all := n.of(name)
	return len(all) > 0 && all[0].Phase == api.PhaseSkipped && all[0].Reason != api.SkippedByWhen
}

// yields reports whether a task has yielded all that another reads of it.
func (n TasksNow) yields(name string, by *Task) bool {
	for _, want := range by.ReadsOf(name) {
		if _, ok := n.Value(want); !ok {
			return false
		}
	}
	return slices.ContainsFunc(n.of(name), func(s *api.TaskStatus) bool { return s.Phase == api.PhaseSucceeded })
}

// Value is what a reference stands for, once the tasks that it names have ended.
func (n TasksNow) Value(ref pipelines.TaskReference) (any, bool) {
	if name, ok := ref.InContext(n.Run, n.Pipeline); ok {
		return name, true
	}
	if ref.Task == "" {
		return TasksStatus(n.Status), true
	}
	all := n.of(ref.Task)
	if len(all) == 0 {
		return nil, false
	}
	switch ref.Of {
	case "status":
		return statusOf(n.phase(ref.Task)), true
	case "reason":
		return reasonOf(all), true
	}
	i := slices.IndexFunc(all[0].Results, func(v pipelines.ParamValue) bool { return v.Name == ref.Result })
	if i < 0 || all[0].Phase != api.PhaseSucceeded {
		return nil, false
	}
	return ref.In(all[0].Results[i].Value)
}

// statusOf is a task's status as finally reads it.
func statusOf(p api.Phase) string {
	switch p {
	case api.PhaseSucceeded:
		return "Succeeded"
	case api.PhaseFailed, api.PhaseAborted:
		return "Failed"
	}
	return "None"
}

// reasonOf is the reason of the combination that went worst.
func reasonOf(all []*api.TaskStatus) string {
	for _, s := range all {
		if s.Phase == api.PhaseFailed || s.Phase == api.PhaseAborted {
			return s.Reason
		}
	}
	if all[0].Phase == api.PhaseSkipped || !all[0].Phase.Final() {
		return "None"
	}
	return all[0].Reason
}

// TasksStatus is the status of all tasks of a run together, those of finally apart: Failed where one failed, Completed where one was
// skipped, else Succeeded; None where none has begun.
func TasksStatus(all []api.TaskStatus) string {
	status, begun := "Succeeded", false
	for _, s := range all {
		switch {
		case s.Finally:
		case s.Broke() || s.Phase == api.PhaseAborted:
			return "Failed"
		case s.Phase == api.PhaseSkipped:
			status = "Completed"
		case s.Phase.Final():
			begun = true
		}
	}
	if !begun {
		return "None"
	}
	return status
}
