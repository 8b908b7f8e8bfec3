package pipelines

import (
	"fmt"
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

func (l *linter) pipeline(p *Pipeline, at spot) {
	spec := at.at("spec")
	l.params(p.Spec.Params, spec.at("params"))
	if p.Spec.OnFailure == "" {
		p.Spec.OnFailure = Pause
	}
	defaults := spec.at("defaults")
	if spec.child("defaults") != nil {
		l.rules(&p.Spec.Defaults, defaults)
		l.checks(p, p.Spec.Defaults.Checks, nil, defaults.at("checks"))
	}
	var names []string
	for i := range p.Spec.Stages {
		stage := &p.Spec.Stages[i]
		names = append(names, stage.Name)
		l.stage(p, stage, spec.at("stages", i), defaults)
	}
	l.unique("stage", names, func(i int) spot { return spec.at("stages", i, "name") })
	l.tasksOf(p, spec)
}

func (l *linter) stage(p *Pipeline, s *Stage, at, defaults spot) {
	if s.ClusterGroups == nil && s.Clusters == nil && !at.has("clusterGroups") && !at.has("clusters") {
		l.report.addAt(at, "stage %s has no clusterGroups or clusters: write clusterGroups: {all: true} for everything", s.Name)
	}
	if at.child("clusterGroups") != nil {
		l.selector(s.ClusterGroups, at.at("clusterGroups"), "clusterGroups")
		l.selectorNames(s.ClusterGroups, at.at("clusterGroups"), KindClusterGroup)
	}
	if at.child("clusters") != nil {
		l.selector(s.Clusters, at.at("clusters"), "clusters")
		l.selectorNames(s.Clusters, at.at("clusters"), KindCluster)
	}
	l.doubts(s, at)
	l.approval(s, at)
	l.rules(&s.Rules, at)
	if len(s.Checks) > 0 {
		for i, c := range s.Checks {
			for j, point := range c.At {
				if point.OfRun() {
					l.report.addAt(at.at("checks", i, "at", j), "%s is once a run: a check there stands in the pipeline's defaults", point)
				}
			}
		}
		l.checks(p, s.Checks, p.Spec.Defaults.Checks, at.at("checks"))
	}
	l.samples(p, s, at, defaults)
}

// doubts warns of what the selectors of a stage ask for in vain. The library is not the user's to mend.
func (l *linter) doubts(s *Stage, at spot) {
	if at.doc.source.library {
		return
	}
	l.warn(l.inUse().Doubts(s), at)
}

func (l *linter) inUse() *Labels {
	if l.labelled == nil {
		l.labelled = l.all.Labels()
	}
	return l.labelled
}

func (l *linter) warn(doubts []Doubt, at spot) {
	for _, d := range doubts {
		l.warnings.addAt(at.at(d.path...), "%s", d.Message)
	}
}

// celReserved are words that cannot stand in a rule, not even after a dot.
func celReserved() []string {
	return []string{
		"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
		"namespace", "null", "package", "return", "true", "var", "void", "while",
	}
}

// params checks declarations, and gives defaults the type that goes with them.
func (l *linter) params(params []Param, at spot) {
	var names []string
	for i := range params {
		p, here := &params[i], at.at(i)
		names = append(names, p.Name)
		if slices.Contains(celReserved(), p.Name) {
			l.report.addAt(here.at("name"), "param %s: no rule could read it, the word is reserved in CEL", p.Name)
		}
		if here.flawed() {
			continue
		}
		p.Type = inferred(p.Type, p.Properties, p.Default)
		l.properties("param "+p.Name, p.Type, p.Properties, here)
		if p.Default == nil {
			continue
		}
		value, err := p.Type.convert(p.Default)
		if err == nil {
			err = unasked(p.Properties, value)
		}
		if err != nil {
			l.report.addAt(here.at("default"), "the default of param %s %v", p.Name, err)
			continue
		}
		p.Default = value
	}
	l.unique("param", names, func(i int) spot { return at.at(i, "name") })
}

// inferred is the type that is meant where none is said.
func inferred(said ParamType, properties map[string]Property, value any) ParamType {
	_, isArray := value.([]string)
	_, isObject := value.(map[string]string)
	switch {
	case said != "":
		return said
	case isArray:
		return TypeArray
	case isObject, len(properties) > 0:
		return TypeObject
	}
	return TypeString
}

// properties checks that an object, and nothing else, says its keys.
func (l *linter) properties(of string, t ParamType, properties map[string]Property, at spot) {
	switch {
	case t == TypeObject && len(properties) == 0:
		l.report.addAt(at, "%s is an object: say its keys, as properties: {KEY: {type: string}}", of)
	case t != TypeObject && len(properties) > 0:
		l.report.addAt(at.key("properties"), "%s is of type %s: an object has properties", of, t)
	}
	for _, key := range sortedKeys(properties) {
		if slices.Contains(celReserved(), key) {
			l.report.addAt(at.at("properties").key(key), "%s: no rule could read its key %s, the word is reserved in CEL", of, key)
		}
	}
}

// unasked says which key of an object that is written out nobody has declared.
func unasked(properties map[string]Property, value any) error {
	given, _ := value.(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, ok := properties[key]; !ok {
			return fmt.Errorf("has the key %s, which is none of its properties%s", key, rule.Suggest(key, sortedKeys(properties)))
		}
	}
	return nil
}

func ruleParams(params []Param) []rule.Param {
	declared := make([]rule.Param, 0, len(params))
	for _, p := range params {
		if p.Name == "" || slices.ContainsFunc(declared, func(d rule.Param) bool { return d.Name == p.Name }) {
			continue
		}
		declared = append(declared, rule.Param{Name: p.Name, Type: rule.Type(p.Type), Keys: sortedKeys(p.Properties)})
	}
	return declared
}

// task checks a task that stands for itself, and notes in which scopes it can run.
func (l *linter) task(t *Task, at spot) {
	l.taskSpec(&t.Spec, at.at("spec"))
	f := l.fit(stepsOf(&t.Spec, at.at("spec")), ruleParams(t.Spec.Params))
	if len(f.scopes()) == 0 {
		l.reportAll(f.best())
	}
	l.fits[t.Metadata.Name] = f
}

func (l *linter) taskSpec(t *TaskSpec, at spot) {
	l.params(t.Params, at.at("params"))
	l.results(t.Results, at.at("results"))
	var names []string
	for i := range t.Steps {
		names = append(names, t.Steps[i].Name)
		l.step(&t.Steps[i], at.at("steps", i))
	}
	l.unique("step", names, func(i int) spot { return at.at("steps", i, "name") })
}
