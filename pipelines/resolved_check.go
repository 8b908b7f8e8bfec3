package pipelines

import (
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// ResolvedCheck is a check with nothing left to look up, and the typed values of the params that it reads. One that is rules and
// nothing else has Gates, and is judged wherever the facts are; any other has Steps, and is measured by workers of its own. It
// survives JSON unchanged.
type ResolvedCheck struct {
	Name        string         `json:"name"`
	DisplayName string         `json:"displayName,omitempty"`
	Task        string         `json:"task,omitempty"` // that it names; "" of what is written in place
	At          []Point        `json:"at"`             // in the order of a rollout
	RunAfter    []string       `json:"runAfter,omitempty"`
	Enforcement Enforcement    `json:"enforcement"`
	Gates       []ResolvedGate `json:"gates,omitempty"`  // all must hold
	Steps       []ResolvedStep `json:"steps,omitempty"`  // in order; all must pass
	Params      []ParamValue   `json:"params,omitempty"` // sorted by name
}

// ResolvedGate is one rule of a check. Its name is that of the check, or check/step.
type ResolvedGate struct {
	Name     string   `json:"name"`
	CEL      string   `json:"cel"`
	Message  string   `json:"message,omitempty"`
	Position Position `json:"-"`
}

// ResolvedStep is one step of a check that is more than rules. Its name is check/step.
type ResolvedStep struct {
	Name string `json:"name"`
	StepKinds
	Repeat
	DataSources []BoundDataSource `json:"dataSources,omitempty"` // that it asks, by name; a plan fills them in
}

// DataSourceOf returns what the step asks about a cluster group; about no group, what it asks about all.
func (s *ResolvedStep) DataSourceOf(group string) (BoundDataSource, bool) {
	i := slices.IndexFunc(s.DataSources, func(b BoundDataSource) bool { return slices.Contains(b.ClusterGroups, group) })
	switch {
	case i >= 0:
		return s.DataSources[i], true
	case group == "" && len(s.DataSources) == 1:
		return s.DataSources[0], true
	}
	return BoundDataSource{}, false
}

// Measured reports whether the check has to look for itself, beside what the facts of a unit say.
func (c *ResolvedCheck) Measured() bool { return len(c.Steps) > 0 }

// Does says what the check may read or change beside the facts of its unit, in words, each once.
func (c *ResolvedCheck) Does() []string {
	var does []string
	for i := range c.Steps {
		for _, d := range c.Steps[i].Does() {
			if !slices.Contains(does, d) {
				does = append(does, d)
			}
		}
	}
	return does
}

// RuleParams declares the check's params to a rule.Compiler.
func (c *ResolvedCheck) RuleParams() []rule.Param {
	params := make([]rule.Param, 0, len(c.Params))
	for _, v := range c.Params {
		params = append(params, rule.Param{Name: v.Name, Type: rule.Type(v.Type())})
	}
	return params
}

// RuleValues are the check's params as a rule.Program takes them.
func (c *ResolvedCheck) RuleValues() rule.Params {
	values := make(rule.Params, len(c.Params))
	for _, v := range c.Params {
		values[v.Name] = v.Value
	}
	return values
}

// Expanded is a step of the check with the values of its params. What only a run knows is an error.
func (c *ResolvedCheck) Expanded(s ResolvedStep) (ResolvedStep, error) {
	return s.Expanded(func(name string) (any, bool) {
		param, ok := strings.CutPrefix(name, "params.")
		v := valueOf(param, c.Params)
		return v, ok && v != nil
	})
}

// RunsAt reports whether the check runs at a point.
func (c *ResolvedCheck) RunsAt(p Point) bool {
	return slices.Contains(c.At, p)
}

// Quick returns the checks that are rules, which are judged wherever the facts are.
func Quick(all []ResolvedCheck) []ResolvedCheck {
	return slices.DeleteFunc(slices.Clone(all), func(c ResolvedCheck) bool { return c.Measured() })
}

// MakesPods reports whether some step runs in a pod that is made for it.
func (c *ResolvedCheck) MakesPods() bool {
	return slices.ContainsFunc(c.Steps, func(s ResolvedStep) bool { return s.Job != nil || s.FromCluster() })
}

// Measured returns the checks that are more than rules, which workers of their own measure.
func Measured(all []ResolvedCheck) []ResolvedCheck {
	return slices.DeleteFunc(slices.Clone(all), func(c ResolvedCheck) bool { return !c.Measured() })
}

// ChecksAt returns the checks that run at a point, in their order.
func ChecksAt(all []ResolvedCheck, p Point) []ResolvedCheck {
	var out []ResolvedCheck
	for _, c := range all {
		if c.RunsAt(p) {
			out = append(out, c)
		}
	}
	return out
}

// ResolveChecks makes the flat list of a stage's effective checks, each after those that it names in runAfter,
// otherwise in the order of the file. Params are the pipeline's, as BindParams returns them. On loaded documents it
// fails only where a param is missing. What runs once a run is not among them.
func (d *Documents) ResolveChecks(p *Pipeline, stage *Stage, params []ParamValue) ([]ResolvedCheck, error) {
	return d.resolveAll(p.EffectiveRules(stage).Checks, "stage "+stage.Name, params, func(at Point) bool { return !at.OfRun() })
}

// ResolveRunChecks makes the flat list of what runs once a run, before its first stage and after its last. It stands among the
// pipeline's defaults.
func (d *Documents) ResolveRunChecks(p *Pipeline, params []ParamValue) ([]ResolvedCheck, error) {
	return d.resolveAll(p.Spec.Defaults.Checks, "the run", params, Point.OfRun)
}

// resolveAll resolves those of some checks that run at a wanted point, at these points only.
func (d *Documents) resolveAll(checks []Check, of string, params []ParamValue, wanted func(Point) bool) ([]ResolvedCheck, error) {
	byName := make(map[string]*Check, len(checks))
	names := make([]string, 0, len(checks))
	for i := range checks {
		byName[checks[i].name()] = &checks[i]
		names = append(names, checks[i].name())
	}
	order := ordered(names, func(name string) []string { return byName[name].RunAfter })
	if len(order) < len(names) {
		return nil, fmt.Errorf("cannot resolve checks of %s: task cycle", of)
	}
	var resolved []ResolvedCheck
	for _, name := range order {
		if !slices.ContainsFunc(byName[name].points(), wanted) {
			continue
		}
		check, err := d.resolve(byName[name], params)
		if err != nil {
			return nil, fmt.Errorf("cannot resolve check %s of %s: %w", name, of, err)
		}
		check.At = slices.DeleteFunc(check.At, func(p Point) bool { return !wanted(p) })
		resolved = append(resolved, check)
	}
	return resolved, nil
}

func (d *Documents) resolve(c *Check, params []ParamValue) (ResolvedCheck, error) {
	check := ResolvedCheck{
		Name:        c.name(),
		DisplayName: c.DisplayName,
		At:          c.points(),
		RunAfter:    slices.Clone(c.RunAfter),
		Enforcement: c.Enforcement,
	}
	if check.Enforcement == "" {
		check.Enforcement = Enforcing
	}
	if c.Gate != nil {
		check.Gates = []ResolvedGate{{check.Name, c.Gate.CEL, c.Gate.Message, c.Gate.Position}}
		check.Params = slices.Clone(params)
		sortParams(check.Params)
		return check, nil
	}
	spec := c.TaskSpec
	if c.TaskRef != nil {
		task, ok := d.Tasks[c.TaskRef.Name]
		if !ok {
			return ResolvedCheck{}, fmt.Errorf("there is no Task %s", c.TaskRef.Name)
		}
		check.Task = c.TaskRef.Name
		spec = &task.Spec
	}
	if spec == nil {
		return ResolvedCheck{}, fmt.Errorf("it has no taskRef, taskSpec or gate")
	}
	d.steps(&check, spec)
	bound, err := bind(spec.Params, c.Params, params)
	if err != nil {
		return ResolvedCheck{}, err
	}
	check.Params = bound
	return check, nil
}

// steps gives a check the steps of a task.
func (d *Documents) steps(c *ResolvedCheck, spec *TaskSpec) {
	for _, step := range spec.Steps {
		name := c.Name + "/" + step.Name
		if spec.onlyRules() {
			c.Gates = append(c.Gates, ResolvedGate{name, step.Gate.CEL, step.Gate.Message, step.Gate.Position})
			continue
		}
		c.Steps = append(c.Steps, ResolvedStep{Name: name, StepKinds: d.withHolidays(step.StepKinds), Repeat: step.paced()})
	}
}

// onlyRules reports whether every step is a gate that is judged once.
func (t *TaskSpec) onlyRules() bool {
	return !slices.ContainsFunc(t.Steps, func(s Step) bool { return s.Gate == nil || !s.Repeat.IsZero() })
}

// bind gives every declared param of a task its value: a literal, a param of the pipeline, or the default.
func bind(declared []Param, given, pipeline []ParamValue) ([]ParamValue, error) {
	var bound []ParamValue
	for _, d := range declared {
		value := d.Default
		if i := slices.IndexFunc(given, func(v ParamValue) bool { return v.Name == d.Name }); i >= 0 {
			value = given[i].Value
			var err error
			if from, ok := passed(value); ok {
				if value, err = from.of(pipeline); err != nil {
					return nil, err
				}
			} else if value, err = withItems(value, pipeline); err != nil {
				return nil, fmt.Errorf("param %s %w", d.Name, err)
			}
		}
		if value == nil {
			return nil, fmt.Errorf("param %s has no value", d.Name)
		}
		typed, err := d.fill(value)
		if err != nil {
			return nil, fmt.Errorf("param %s %w", d.Name, err)
		}
		bound = append(bound, ParamValue{d.Name, typed})
	}
	sortParams(bound)
	return bound, nil
}

// valueOf is the value of a param, or nil.
func valueOf(name string, values []ParamValue) any {
	for _, v := range values {
		if v.Name == name {
			return v.Value
		}
	}
	return nil
}
