package plan

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Tasks is what a run does once, beside its stages.
type Tasks struct {
	First    []Task        `json:"tasks,omitempty"`   // before the first stage, each after those that it waits for
	Finally  []Task        `json:"finally,omitempty"` // at the end, whatever happened
	Timeouts TasksTimeouts `json:"timeouts,omitzero"` // 0 is none
	Places   []TaskPlace   `json:"places,omitempty"`  // the clusters that tasks name
	Results  []RunResult   `json:"results,omitempty"` // what the run hands out
}

// RunResult is a value that a run hands out, and the result of a task that it is.
type RunResult struct {
	Name string                  `json:"name"`
	Of   pipelines.TaskReference `json:"of"`
}

// maxRunResults is how many bytes the results of a run may take, with their names: its status is one payload.
const maxRunResults = 4096

// Yielded is what a run hands out, in the order of its pipeline. What no task has yielded is not there; what has no room any more is
// among the names that are left out.
func (t *Tasks) Yielded(all []api.TaskStatus) (results []pipelines.ParamValue, leftOut []string) {
	room := maxRunResults
	for _, r := range t.Results {
		value, ok := TasksNow{Status: all}.Value(r.Of)
		if !ok {
			continue
		}
		v := pipelines.ParamValue{Name: r.Name, Value: value}
		if takes := len(v.Name) + len(v.Text()); takes <= room {
			room -= takes
			results = append(results, v)
			continue
		}
		leftOut = append(leftOut, r.Name)
	}
	return results, leftOut
}

// Any reports whether there is anything to do.
func (t *Tasks) Any() bool { return t != nil && len(t.First)+len(t.Finally) > 0 }

// Task is a task of a run.
type Task = pipelines.ResolvedTask

// TasksTimeouts are a pipeline's timeouts with what follows from what is not said: of a bounded whole, tasks may take what finally
// leaves, and the other way round.
type TasksTimeouts struct {
	Pipeline pipelines.Duration `json:"pipeline,omitempty"`
	Tasks    pipelines.Duration `json:"tasks,omitempty"`
	Finally  pipelines.Duration `json:"finally,omitempty"`
}

// OfTasks is how long the tasks before the first stage may take, and which timeout that is; 0 without end.
func (t TasksTimeouts) OfTasks() (time.Duration, api.TimeoutOf) {
	if t.Tasks > 0 {
		return t.Tasks.Std(), api.TimeoutOfTasks
	}
	return t.Pipeline.Std(), api.TimeoutOfPipeline
}

// OfFinally is the same of finally, once the tasks have taken so long; below 0 where they have left it no time.
func (t TasksTimeouts) OfFinally(taken time.Duration) (time.Duration, api.TimeoutOf) {
	switch left := t.Pipeline.Std() - taken; {
	case t.Finally > 0:
		return t.Finally.Std(), api.TimeoutOfFinally
	case t.Pipeline == 0:
		return 0, ""
	case left <= 0:
		return -1, api.TimeoutOfPipeline
	default:
		return (left + time.Second - 1).Truncate(time.Second), api.TimeoutOfPipeline
	}
}

// TasksTook is how long the tasks before the first stage took, from the first start to the last end.
func TasksTook(all []api.TaskStatus) time.Duration {
	var first, last time.Time
	for _, s := range all {
		if s.Finally || s.Started.IsZero() {
			continue
		}
		if first.IsZero() || s.Started.Before(first) {
			first = s.Started
		}
		if s.Ended.After(last) {
			last = s.Ended
		}
	}
	return max(0, last.Sub(first))
}

// TaskPlace is a cluster in which a task looks or does something.
type TaskPlace struct {
	Cluster string    `json:"cluster"`
	Context string    `json:"context"`
	Site    string    `json:"site,omitempty"`
	Unit    rule.Unit `json:"unit"`
}

// Place is the cluster of a task; nil where it names none.
func (t *Tasks) Place(cluster string) *TaskPlace {
	for i := range t.Places {
		if t.Places[i].Cluster == cluster {
			return &t.Places[i]
		}
	}
	return nil
}

// tasks resolves what the pipeline does beside its stages; nil where that is nothing.
func (b *builder) tasks(p *Plan) (*Tasks, error) {
	docs, pipeline := b.in.Documents, b.in.Pipeline
	first, err := docs.ResolveTasks(pipeline, p.Params)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot plan the tasks of pipeline %s", pipeline.Metadata.Name)
	}
	final, err := docs.ResolveFinally(pipeline, p.Params)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot plan finally of pipeline %s", pipeline.Metadata.Name)
	}
	if len(first)+len(final) == 0 {
		return nil, nil
	}
	t := &Tasks{First: first, Finally: final, Timeouts: timeouts(pipeline.Spec.Timeouts)}
	for _, r := range pipeline.Spec.Results {
		t.Results = append(t.Results, RunResult{r.Name, r.Reference()})
	}
	for _, list := range [][]Task{first, final} {
		for i := range list {
			for j := range list[i].Check.Gates {
				list[i].Check.Gates[j].Position = pipelines.Position{} // a plan does not know where its files lie
			}
			if err := b.placeTask(t, &list[i]); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (b *builder) placeTask(t *Tasks, task *Task) error {
	if task.Cluster == "" || t.Place(task.Cluster) != nil {
		return nil
	}
	at, ok := b.fleet.places[task.Cluster]
	if !ok {
		return fault.New(fault.Invalid, "cannot plan task %s: there is no cluster %s", task.Name, task.Cluster)
	}
	t.Places = append(t.Places, TaskPlace{Cluster: task.Cluster, Context: at.context(), Site: at.cluster.Spec.Site, Unit: rule.Unit{
		Path: at.Group + "/" + at.Cluster, Group: at.Group, Cluster: at.Cluster, Environment: at.Environment,
		BusinessSide: at.BusinessSide, NetworkDomain: at.NetworkDomain, Region: at.Region, Labels: at.labels,
	}})
	return nil
}

func timeouts(t *pipelines.Timeouts) (out TasksTimeouts) {
	if t == nil {
		return out
	}
	set := func(into *pipelines.Duration, d *pipelines.Duration) {
		if d != nil {
			*into = *d
		}
	}
	set(&out.Pipeline, t.Pipeline)
	set(&out.Tasks, t.Tasks)
	set(&out.Finally, t.Finally)
	if out.Pipeline > 0 && t.Tasks == nil && t.Finally != nil {
		out.Tasks = out.Pipeline - out.Finally
	}
	if out.Pipeline > 0 && t.Finally == nil && t.Tasks != nil {
		out.Finally = out.Pipeline - out.Tasks
	}
	return out
}
