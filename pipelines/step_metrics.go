package pipelines

import (
	"strings"
	"time"

	"sluice.dev/sluice/pipelines/rule"
)

// Metrics asks a source of metrics one question, and judges the answer. The question is one of the component's indicators, so that
// one Task serves many components, or PromQL written in place. Where the failure condition holds it has Failed; else, where the
// success condition holds, it has Passed; where both are given and neither holds it is Inconclusive. A condition that cannot be
// evaluated is an Error.
type Metrics struct {
	Query  string `json:"query,omitempty" is:"name"`                  // an indicator of the component
	PromQL string `json:"promql,omitempty" is:"text" expand:"promql"` // one of query and promql
	// the DataSource that is asked; default that of the indicator, else that of the cluster group
	DataSource string `json:"dataSource,omitempty" is:"name"`
	// CEL over result (all numbers), value (the only one), series and labels, and the params
	SuccessCondition string `json:"successCondition,omitempty" is:"text" expand:"-"`
	FailureCondition string `json:"failureCondition,omitempty" is:"text" expand:"-"` // at least one of the two, or baseline
	// what it is where there is no number, or none in some of the series (NaN); default Inconclusive. A condition that asks isNaN,
	// size or default judges that itself
	NoData NoData `json:"noData,omitempty"`
	// the query is evaluated once a step over so long a time up to now, instead of now: a series has many numbers then
	Range *Duration `json:"range,omitempty"`
	Step  *Duration `json:"step,omitempty"` // default 15s
	// instead of conditions: a statistical test against what the numbers were, or are elsewhere
	Baseline *Baseline `json:"baseline,omitempty"`
}

// NoData is a verdict for want of data.
type NoData string

// The verdicts for want of data.
const (
	NoDataInconclusive NoData = "Inconclusive"
	NoDataPassed       NoData = "Passed"
	NoDataFailed       NoData = "Failed"
	NoDataError        NoData = "Error"
)

func (NoData) values() []string {
	return []string{string(NoDataInconclusive), string(NoDataPassed), string(NoDataFailed), string(NoDataError)}
}

// DefaultRangeStep is the step of a range that names none, and maxRangeSteps how many there may be: more, Prometheus refuses.
const (
	DefaultRangeStep = Duration(15 * time.Second)
	maxRangeSteps    = 11_000
)

func lintMetrics(l *linter, s *Step, at spot) {
	m := s.Metrics
	hasQuery, hasPromQL := at.has("query"), at.has("promql")
	switch {
	case hasQuery && hasPromQL:
		l.report.addAt(at.key("promql"), "it asks one of query and promql, not both")
	case !hasQuery && !hasPromQL:
		l.report.addAt(at, "it asks nothing: give query, an indicator of the component, or promql")
	}
	if m.Baseline != nil {
		lintBaseline(l, s, at)
	} else if !at.has("successCondition") && !at.has("failureCondition") && !at.has("baseline") {
		l.report.addAt(at, "it judges nothing: give successCondition, failureCondition or both, or baseline")
	}
	l.promql(m.PromQL, at.at("promql"))
	if m.DataSource != "" {
		l.referIfAny(at.at("dataSource"), KindDataSource, m.DataSource)
	}
	l.steps(m, at)
}

// steps checks the range of a query.
func (l *linter) steps(m *Metrics, at spot) {
	if m.Range == nil {
		if m.Step != nil {
			l.report.addAt(at.key("step"), "step goes with range: without one the query is evaluated once, now")
		}
		return
	}
	step := DefaultRangeStep
	if m.Step != nil {
		step = *m.Step
	}
	switch {
	case step < Duration(time.Second) || step.Std()%time.Second != 0 || m.Range.Std()%time.Second != 0:
		l.report.addAt(at.at("range"), "range and step must be in whole seconds, a step 1s at least")
	case *m.Range < step:
		l.report.addAt(at.at("range"), "range is shorter than a step of it (%s)", step)
	case *m.Range/step > maxRangeSteps:
		l.report.addAt(at.at("range"), "range has %d steps of %s, at most %d are allowed", *m.Range/step, step, maxRangeSteps)
	}
}

// promql checks what can be told of a query without its server.
func (l *linter) promql(text string, at spot) {
	if line, column, why := unclosedPromQL(text); why != "" {
		l.report.add(at.textPosition(line, column), "promql: %s", why)
	}
}

// conditions is what is wrong with the conditions of a step that asks for metrics.
func (l *linter) conditions(s placedStep, params []rule.Param) (found Diagnostics) {
	for _, c := range []struct{ field, source string }{
		{"successCondition", s.Metrics.SuccessCondition}, {"failureCondition", s.Metrics.FailureCondition},
	} {
		if c.source == "" {
			continue
		}
		at := s.at.at(c.field)
		_, err := l.compiler.CompileCondition(params, c.source)
		if issues, ok := err.(rule.Issues); ok {
			for _, issue := range issues {
				found = append(found, Diagnostic{at.textPosition(issue.Line, issue.Column), "cel: " + strings.TrimSpace(issue.Message)})
			}
		} else if err != nil {
			found = append(found, Diagnostic{at.position(), err.Error()})
		}
	}
	return found
}
