package tekton

import (
	"fmt"
	"strconv"
	"time"

	"sluice.dev/sluice/internal/api"
)

// state is what became of a child, as far as its run counts it.
type state int

const (
	waiting state = iota // it has not begun
	running
	succeeded
	failed
	ignored // it failed, and that counts as nothing
	cancelled
	skipped
)

// child is what a run does once: a unit of a stage, or a task.
type child struct {
	name    string // of its TaskRun
	task    string // of the PipelineTask
	display string
	state   state
	reason  string // of its TaskRun's condition, or why it was skipped
	message string
	began   time.Time
	ended   time.Time
	unit    *api.UnitStatus
	of      *api.TaskStatus
}

// children are the units and the tasks of a run, in the order in which they come.
func children(r *api.RunStatus) []child {
	var all []child
	taken := map[string]bool{}
	add := func(c child, suffix string) {
		c.name = TaskRunName(r.Name, suffix)
		if taken[c.name] { // a cluster may be called as a task is
			c.name = TaskRunName(r.Name, suffix+"-"+hash(c.memberOf() + suffix)[:8])
		}
		taken[c.name] = true
		all = append(all, c)
	}
	tasks := func(finally bool) {
		for i := range r.Tasks {
			if t := &r.Tasks[i]; t.Finally == finally {
				add(taskChild(r, t), suffixOf(t))
			}
		}
	}
	tasks(false)
	for i := range r.Stages {
		for j := range r.Stages[i].Units {
			u := &r.Stages[i].Units[j]
			add(unitChild(r, u), u.Cluster)
		}
	}
	tasks(true)
	return all
}

// suffixOf is what a task adds to its run's name; Tekton counts the combinations of a matrix from 0.
func suffixOf(t *api.TaskStatus) string {
	if t.Combination == 0 {
		return t.Name
	}
	return t.Name + "-" + strconv.Itoa(t.Combination-1)
}

// memberOf is the list of the pipeline in which the child stands.
func (c *child) memberOf() string {
	switch {
	case c.of == nil:
		return "stages"
	case c.of.Finally:
		return "finally"
	}
	return "tasks"
}

func taskChild(r *api.RunStatus, t *api.TaskStatus) child {
	c := child{
		task: t.Name, display: t.DisplayName, reason: t.Reason, message: t.Message, began: t.Started, ended: t.Ended, of: t,
	}
	switch {
	case t.Phase == api.PhaseSkipped:
		c.state = skipped
	case t.Phase == api.PhaseSucceeded:
		c.state, c.reason = succeeded, api.ReasonSucceeded
	case t.Phase == api.PhaseAborted:
		c.state, c.reason = cancelled, api.ReasonTaskRunCancelled
	case t.Phase == api.PhaseFailed && t.Reason == api.ReasonFailureIgnored:
		c.state = ignored
	case t.Phase == api.PhaseFailed:
		c.state = failed
	case t.Started.IsZero():
		c.state = waiting
	default:
		c.state = running
	}
	if c.state == waiting && r.Phase.Final() {
		c.state, c.reason = skipped, whySkipped(r)
	}
	return c
}

func unitChild(r *api.RunStatus, u *api.UnitStatus) child {
	c := child{task: u.Cluster, display: u.Path, began: u.Started, ended: u.Ended, unit: u}
	switch u.Phase {
	case api.PhaseSucceeded:
		c.state, c.reason, c.message = succeeded, api.ReasonSucceeded, "All Steps have completed executing"
	case api.PhaseFailed:
		c.state, c.reason, c.message = failed, api.ReasonFailed, stopped(u)
	case api.PhaseRolledBack:
		c.state, c.reason, c.message = failed, api.ReasonFailed, stopped(u)
		if u.Failure == nil && u.Cause == nil && !u.Ending.ByItself() {
			c.state, c.reason = cancelled, api.ReasonTaskRunCancelled
		}
	case api.PhaseAborted:
		c.state, c.reason, c.message = cancelled, api.ReasonTaskRunCancelled, stopped(u)
	case api.PhaseSkipped, api.PhaseMissed:
		c.state, c.reason = skipped, whySkipped(r)
	case api.PhasePending:
		c.state, c.reason = waiting, ""
		if r.Phase.Final() {
			c.state, c.reason = skipped, whySkipped(r)
		}
	default:
		c.state, c.reason, c.message = running, api.ReasonRunning, "Not all Steps in the Task have finished executing"
		if u.Waiting != nil {
			c.message = fmt.Sprintf("%s: waits for %s %s", u.Phase, u.Waiting.Kind, u.Waiting.Name)
		}
	}
	return c
}

// whySkipped is why a run did not come to what it has not begun.
func whySkipped(r *api.RunStatus) string {
	if r.Ending != nil && !r.Ending.ByItself() {
		return api.SkippedAsCancelled
	}
	return api.SkippedAsStopping
}

// stopped says what ended a unit that did not succeed.
func stopped(u *api.UnitStatus) string {
	why := u.Failure
	if why == nil {
		why = u.Cause
	}
	switch {
	case why != nil:
		return fmt.Sprintf("%s: %s at %s: %s: %s", u.Phase, why.Name, u.FailedAt, why.Verdict, why.Message)
	case u.Ending != nil:
		return fmt.Sprintf("%s by %s: %s", u.Phase, u.Ending.By, u.Ending.Reason)
	}
	return string(u.Phase)
}

// condition is that of the child's TaskRun.
func (c *child) condition() Condition {
	cond := Condition{Type: "Succeeded", Status: isUnknown, Reason: c.reason, Message: c.message, Since: second(c.began)}
	switch c.state {
	case succeeded:
		cond.Status = isTrue
	case failed, ignored, cancelled:
		cond.Status = isFalse
	}
	if !c.ended.IsZero() {
		cond.Since = second(c.ended)
	}
	return cond
}
