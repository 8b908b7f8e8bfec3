package pipelines

import (
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// tasksOf checks the tasks of a pipeline, those of finally too: each for itself, then what they say of each other.
func (l *linter) tasksOf(p *Pipeline, spec spot) {
	tasks := &taskList{l: l, p: p, tasks: p.Spec.Tasks, at: spec.at("tasks")}
	final := &taskList{l: l, p: p, tasks: p.Spec.Finally, at: spec.at("finally"), finally: true, before: tasks.tasks}
	if spec.child("tasks") == nil {
		tasks.tasks = nil
	}
	if spec.child("finally") == nil {
		final.tasks = nil
	}
	var names []string
	for _, t := range slices.Concat(tasks.tasks, final.tasks) {
		names = append(names, t.Name)
	}
	l.unique("task", names, func(i int) spot {
		if n := len(tasks.tasks); i >= n {
			return final.at.at(i-n, "name")
		}
		return tasks.at.at(i, "name")
	})
	tasks.check()
	final.check()
	tasks.cycles()
	l.taskRuns(p, spec)
	if spec.child("results") != nil {
		l.pipelineResults(p, tasks, final, spec.at("results"))
	}
	l.timeouts(p.Spec.Timeouts, spec.at("timeouts"))
}

// taskRuns counts what a run would do beside its stages.
func (l *linter) taskRuns(p *Pipeline, spec spot) {
	all := 0
	for _, t := range slices.Concat(p.Spec.Tasks, p.Spec.Finally) {
		all += max(1, t.Matrix.count())
	}
	if all > maxTaskRuns {
		l.report.addAt(spec, "the tasks of pipeline %s run %d times in all, with each combination: at most %d are allowed",
			p.Metadata.Name, all, maxTaskRuns)
	}
}

func (l *linter) timeouts(t *Timeouts, at spot) {
	if t == nil || t.Pipeline == nil {
		return
	}
	given := func(d *Duration) Duration {
		if d == nil {
			return 0
		}
		return *d
	}
	none := func(d *Duration) bool { return d != nil && *d == 0 }
	switch sum := given(t.Tasks) + given(t.Finally); {
	case *t.Pipeline == 0:
	case none(t.Tasks) || none(t.Finally):
		l.report.addAt(at.at("pipeline"), "the pipeline's timeout is %s, and a part of it has none", t.Pipeline)
	case sum > *t.Pipeline:
		l.report.addAt(at.at("pipeline"), "the pipeline's timeout is %s, less than %s of tasks and finally together", t.Pipeline, sum)
	}
}

// taskList is tasks, or finally, while they are checked.
type taskList struct {
	l       *linter
	p       *Pipeline
	tasks   []PipelineTask
	at      spot
	finally bool
	before  []PipelineTask // of finally: the tasks whose results it may read
}

// readable are the tasks whose results may be read.
func (k *taskList) readable() []PipelineTask {
	if k.finally {
		return k.before
	}
	return k.tasks
}

func (k *taskList) check() {
	for i := range k.tasks {
		t, at := &k.tasks[i], k.at.at(i)
		if t.OnError == "" {
			t.OnError = StopAndFail
		}
		k.what(t, at)
		k.order(t, at)
		k.conditions(t, at)
		if t.Retries > 0 && t.OnError == ContinueOnError {
			k.l.report.addAt(at.key("retries"),
				"task %s is tried again, and its failure counts as nothing: give one of retries and onError: continue", t.Name)
		}
		k.l.wait(t.Timeout, at.at("timeout"), "timeout")
		if t.Cluster != "" {
			k.l.referIfAny(at.at("cluster"), KindCluster, t.Cluster)
		}
	}
}

// what checks what a task runs, and what that is given.
func (k *taskList) what(t *PipelineTask, at spot) {
	ref, spec := at.child("taskRef") != nil, at.child("taskSpec") != nil
	switch {
	case ref && spec:
		k.l.report.addAt(at.key("taskSpec"), "a task has one of taskRef and taskSpec, not both")
	case ref && t.TaskRef != nil:
		k.l.refer(at.at("taskRef", "name"), KindTask, t.TaskRef.Name)
		task, ok := k.l.all.Tasks[t.TaskRef.Name]
		if !ok {
			return
		}
		k.params(t, task.Spec.Params, "task "+t.TaskRef.Name, at)
		for _, d := range k.runs(t, stepsOf(&task.Spec, k.l.documentOf(task).at("spec")), task.Spec.Params) {
			k.l.report.addAt(at.at("taskRef"), "task %s cannot run once a run: %s (%s)",
				t.TaskRef.Name, strings.TrimPrefix(d.Message, "cel: "), d.Position)
			return
		}
	case spec && t.TaskSpec != nil:
		k.l.taskSpec(t.TaskSpec, at.at("taskSpec"))
		k.params(t, t.TaskSpec.Params, "taskSpec", at)
		k.l.reportAll(k.runs(t, stepsOf(t.TaskSpec, at.at("taskSpec")), t.TaskSpec.Params))
	case !at.has("taskRef") && !at.has("taskSpec"):
		k.l.report.addAt(at, "task %s has nothing to run: give taskRef or taskSpec", t.Name)
	}
}

// runs is what keeps steps from running once a run: in no cluster, unless the task names one. Gates see the units of the run.
func (k *taskList) runs(t *PipelineTask, steps []placedStep, declared []Param) (found Diagnostics) {
	params := ruleParams(declared)
	for _, s := range steps {
		if s.Gate != nil {
			found = append(found, k.l.compiles(rule.ScopeStage, params, s.Gate, s.at.at("cel"))...)
			continue
		}
		kind, _ := StepKindOf(s.Kind())
		local := !slices.Contains(kind.Scopes, rule.ScopeStage) || kind.local != nil && kind.local(s.Step)
		if local && t.Cluster == "" {
			found = append(found, Diagnostic{s.at.position(), kind.Name + " is about a cluster: say which, as cluster: NAME of the task"})
		}
		found = append(found, unknownSpreads(s, params)...)
		wrong, names := unknownPaths(s)
		found = append(found, wrong...)
		for _, name := range names {
			ofUnit := strings.HasPrefix(name, "unit.") && rule.Unreadable(rule.ScopeCluster, name) == ""
			if strings.HasPrefix(name, "steps.") || slices.Contains(contextNames(), name) || t.Cluster != "" && ofUnit {
				continue
			}
			if why := unknownName(name, rule.ScopeStage, params); why != "" {
				found = append(found, Diagnostic{s.at.position(), "$(" + name + "): " + why})
			}
		}
	}
	return found
}

// order checks runAfter.
func (k *taskList) order(t *PipelineTask, at spot) {
	if k.finally && len(t.RunAfter) > 0 {
		k.l.report.addAt(at.key("runAfter"), "the tasks of finally run beside each other: %s cannot run after another", t.Name)
		return
	}
	for i, name := range t.RunAfter {
		if names := namesOf(k.tasks); !slices.Contains(names, name) {
			k.l.report.addAt(at.at("runAfter", i), "there is no task %s%s", name, rule.Suggest(name, names))
		}
	}
}

// cycles reports tasks that wait for each other, by runAfter or for a result.
func (k *taskList) cycles() {
	byName := map[string]*PipelineTask{}
	for i := range k.tasks {
		byName[k.tasks[i].Name] = &k.tasks[i]
	}
	names := namesOf(k.tasks)
	for _, cycle := range cycles(names, func(name string) []string { return byName[name].after() }) {
		k.l.report.addAt(k.at.at(slices.Index(names, cycle[0])), "task cycle: %s", strings.Join(cycle, " -> "))
	}
}

// conditions checks when.
func (k *taskList) conditions(t *PipelineTask, at spot) {
	for i := range t.When {
		w, here := &t.When[i], at.at("when", i)
		given := func(field string) bool { return here.has(field) }
		if given("cel") {
			if given("input") || given("operator") || given("values") {
				k.l.report.addAt(here, "a condition is a rule (cel), or input, operator and values; not both")
				continue
			}
			k.rule(w, here.at("cel"))
			continue
		}
		if !given("input") || !given("operator") || !given("values") {
			k.l.report.addAt(here, "a condition is a rule (cel), or input, operator and values; all three of them")
			continue
		}
		k.text(w.Input, here.at("input"))
		for j, v := range w.Values {
			k.text(v, here.at("values", j))
		}
	}
}

// rule compiles a condition, and notes which results it reads.
func (k *taskList) rule(w *When, at spot) {
	if w.CEL == "" {
		return
	}
	gate := &Gate{CEL: w.CEL}
	params := append(ruleParams(k.p.Spec.Params), k.resultParams()...)
	found := k.l.compiles(rule.ScopeTasks, params, gate, at)
	w.Position = gate.Position
	if len(found) > 0 {
		k.l.reportAll(found)
		return
	}
	w.Reads = nil
	program, err := k.l.compiler.Compile(rule.ScopeTasks, params, w.CEL)
	if err != nil {
		return // it compiled a moment ago
	}
	for _, path := range program.Reads() {
		if rest, ok := strings.CutPrefix(path, "tasks."); ok {
			task, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(w.Reads, task) {
				w.Reads = append(w.Reads, task)
			}
		}
	}
}

// resultParams declares the results that a rule may read.
func (k *taskList) resultParams() (declared []rule.Param) {
	for _, t := range k.readable() {
		if t.Matrix != nil {
			continue
		}
		for _, r := range k.l.resultsOf(&t) {
			param := rule.Param{Name: r.Name, Type: rule.Type(r.typed()), Task: t.Name, Keys: sortedKeys(r.Properties)}
			twice := func(d rule.Param) bool { return d.Task == param.Task && d.Name == param.Name }
			if !slices.ContainsFunc(declared, twice) { // that it is declared twice is said where it is
				declared = append(declared, param)
			}
		}
	}
	return declared
}

// text checks a text of a condition that may stand for a value.
func (k *taskList) text(text string, at spot) {
	if from, ok := passed(text); ok {
		k.l.passedOn(k.p, from, nil, at)
		return
	}
	if ref, ok := ReferenceOf(text); ok {
		k.reference(ref, nil, at)
		return
	}
	if strings.Contains(text, "$(") {
		k.l.report.addAt(at, "$(...) must be all of the value, and name a param or a result: $(params.NAME), $(tasks.TASK.results.NAME)")
	}
}

func namesOf(tasks []PipelineTask) []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names
}

// after names the tasks that end before a task can start.
func (t *PipelineTask) after() []string {
	names := slices.Concat(t.RunAfter, t.reads())
	for _, w := range t.When {
		names = append(names, w.Reads...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
