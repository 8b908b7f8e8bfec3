package check

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Bounds of what is shown of an answer.
const (
	maxShownSeries = 10
	maxShownLabels = 200  // characters
	maxShownQuery  = 1000 // characters
)

// Metrics are the checks that ask a source of metrics. One question is one measurement: asking again is for whoever asks it.
type Metrics struct {
	clock    clock.PassiveClock
	ask      Asker
	compiler *rule.Compiler
}

// Asker asks a data source a query, as of the source's own now, and ends with the context.
type Asker interface {
	Ask(ctx context.Context, source pipelines.BoundDataSource, promql string) (prometheus.Answer, error)
}

// AskerFunc is an Asker that is a function.
type AskerFunc func(ctx context.Context, source pipelines.BoundDataSource, promql string) (prometheus.Answer, error)

// Ask calls the function.
func (f AskerFunc) Ask(ctx context.Context, source pipelines.BoundDataSource, promql string) (prometheus.Answer, error) {
	return f(ctx, source, promql)
}

// NewMetrics returns a source for steps of the kind metrics.
func NewMetrics(c clock.PassiveClock, ask Asker) *Metrics {
	return &Metrics{c, ask, rule.NewCompiler()}
}

// Ask asks the data source that the plan has bound to the cluster group of the question, and judges its answer.
func (m *Metrics) Ask(ctx context.Context, q Question) Finding {
	step := q.Step.Metrics
	source, bound := q.Step.DataSourceOf(q.Facts.Unit.Group)
	if !bound {
		return Finding{Verdict: api.Error, Message: "the plan has bound no DataSource to cluster group " + q.Facts.Unit.Group}
	}
	if step.Baseline != nil {
		return m.compare(ctx, q, source)
	}
	query := overTime(step)
	seen := map[string]any{"query": clip.Runes(query, maxShownQuery), "dataSource": source.Name}
	began := m.clock.Now()
	answer, err := m.ask.Ask(ctx, source, query)
	seen["took"] = m.clock.Since(began).Round(time.Millisecond).String()
	if err == nil {
		err = expected(step, answer)
	}
	if err != nil {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("DataSource %s: %v", source.Name, err), Seen: seen}
	}
	show(seen, answer)
	f := m.judge(ctx, step, q, measurementOf(answer))
	if f.Verdict == api.Passed && len(answer.Warnings) > 0 {
		f = without(step, "the server says that its answer may be less than all: "+answer.Warnings[0])
	}
	f.Seen, f.Results = seen, results(answer)
	return f
}

// overTime is the query of a step. A range is a subquery, so that it ends at the server's now, whatever the clocks of workers say.
func overTime(step *pipelines.Metrics) string {
	if step.Range == nil {
		return step.PromQL
	}
	every := pipelines.DefaultRangeStep
	if step.Step != nil {
		every = *step.Step
	}
	// The newline ends a comment that the query may end with.
	return fmt.Sprintf("(%s\n)[%ds:%ds]", step.PromQL, int(step.Range.Std().Seconds()), int(every.Std().Seconds()))
}

// expected says what is wrong with the type of an answer.
func expected(step *pipelines.Metrics, a prometheus.Answer) error {
	switch {
	case a.Type == prometheus.String:
		return fmt.Errorf("the query yields a text, not numbers")
	case step.Range != nil && a.Type != prometheus.Matrix:
		return fmt.Errorf("it answers a range with a %s: it does not know subqueries as Prometheus has them", a.Type)
	}
	return nil
}

func measurementOf(a prometheus.Answer) rule.Measurement {
	m := rule.Measurement{Series: make([][]float64, 0, len(a.Series)), Labels: make([]map[string]string, 0, len(a.Series))}
	for _, s := range a.Series {
		numbers := make([]float64, 0, len(s.Samples))
		for _, v := range s.Samples {
			numbers = append(numbers, v.Value)
		}
		labels := s.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		m.Series, m.Labels = append(m.Series, numbers), append(m.Labels, labels)
	}
	return m
}

// judge is what the conditions of a step make of a measurement. What is no number is handed only to conditions that ask for it.
func (m *Metrics) judge(ctx context.Context, step *pipelines.Metrics, q Question, seen rule.Measurement) Finding {
	success, err := m.condition(step.SuccessCondition, q)
	if err != nil {
		return Finding{Verdict: api.Error, Message: "cannot compile successCondition: " + err.Error()}
	}
	failure, err := m.condition(step.FailureCondition, q)
	if err != nil {
		return Finding{Verdict: api.Error, Message: "cannot compile failureCondition: " + err.Error()}
	}
	all := len(seen.Series)
	if !success.ReadsNaN() && !failure.ReadsNaN() {
		seen = numbersOf(seen)
	}
	blind := all - len(seen.Series)
	if len(seen.Result()) == 0 && !success.ReadsNone() && !failure.ReadsNone() {
		return without(step, emptiness(all))
	}
	f := decide(ctx, step, q.Params, success, failure, seen)
	if f.Verdict == api.Passed && blind > 0 {
		return without(step, fmt.Sprintf("%d of %d series have no number", blind, all))
	}
	return f
}

// condition compiles a condition; it is nil where there is none.
func (m *Metrics) condition(source string, q Question) (*rule.Condition, error) {
	if source == "" {
		return nil, nil
	}
	return m.compiler.CompileCondition(rule.ParamsOf(q.Params), source)
}

// decide is Argo Rollouts' table: the failure condition first, then the success condition; neither of two is inconclusive.
func decide(
	ctx context.Context, step *pipelines.Metrics, params rule.Params, success, failure *rule.Condition, seen rule.Measurement,
) Finding {
	if failure != nil {
		fails, err := failure.Eval(ctx, seen, params)
		if err != nil {
			return Finding{Verdict: api.Error, Message: "failureCondition: " + err.Error()}
		}
		if fails {
			return Finding{Verdict: api.Failed, Message: "failureCondition holds: " + step.FailureCondition + of(seen)}
		}
		if success == nil {
			return Finding{Verdict: api.Passed, Message: "failureCondition does not hold: " + step.FailureCondition + of(seen)}
		}
	}
	holds, err := success.Eval(ctx, seen, params)
	switch {
	case err != nil:
		return Finding{Verdict: api.Error, Message: "successCondition: " + err.Error()}
	case holds:
		return Finding{Verdict: api.Passed, Message: "successCondition holds: " + step.SuccessCondition + of(seen)}
	case failure != nil:
		return Finding{Verdict: api.Inconclusive, Message: "neither condition holds: " + step.SuccessCondition + of(seen)}
	}
	return Finding{Verdict: api.Failed, Message: "successCondition does not hold: " + step.SuccessCondition + of(seen)}
}

// of is the numbers behind a message.
func of(seen rule.Measurement) string {
	numbers := seen.Result()
	if len(numbers) == 1 {
		return fmt.Sprintf("; value is %v", numbers[0])
	}
	if len(numbers) == 0 {
		return "; there is no number"
	}
	return fmt.Sprintf("; of %d numbers the lowest is %v, the highest %v", len(numbers), slices.Min(numbers), slices.Max(numbers))
}

// without is the verdict for want of data.
func without(step *pipelines.Metrics, why string) Finding {
	verdicts := map[pipelines.NoData]api.Verdict{
		pipelines.NoDataPassed: api.Passed, pipelines.NoDataFailed: api.Failed, pipelines.NoDataError: api.Error,
	}
	f := Finding{Verdict: api.Inconclusive, Message: "no data: " + why}
	if v, said := verdicts[step.NoData]; said {
		f.Verdict, f.Message = v, f.Message+", which counts as "+string(v)
	}
	return f
}

func emptiness(series int) string {
	if series == 0 {
		return "the query yields no series"
	}
	return fmt.Sprintf("the query yields %d series without a number (NaN)", series)
}

// numbersOf leaves out what is no number, and series that have none.
func numbersOf(m rule.Measurement) rule.Measurement {
	var kept rule.Measurement
	for i, s := range m.Series {
		numbers := slices.DeleteFunc(slices.Clone(s), math.IsNaN)
		if len(numbers) > 0 {
			kept.Series, kept.Labels = append(kept.Series, numbers), append(kept.Labels, m.Labels[i])
		}
	}
	return kept
}

// results is what steps after it may read: how many series there were, and the number where there is one only.
func results(a prometheus.Answer) map[string]any {
	out := map[string]any{"series": int64(len(a.Series))}
	if len(a.Series) == 1 && len(a.Series[0].Samples) == 1 {
		if v := a.Series[0].Samples[0].Value; !math.IsNaN(v) && !math.IsInf(v, 0) {
			out["value"] = v
		}
	}
	return out
}

// show adds what people are shown of an answer.
func show(seen map[string]any, a prometheus.Answer) {
	seen["series"] = len(a.Series)
	values := []any{}
	for _, s := range a.Series[:min(len(a.Series), maxShownSeries)] {
		values = append(values, clip.Runes(labelsOf(s.Labels), maxShownLabels)+numbersShown(s.Samples))
	}
	if len(values) > 0 {
		seen["values"] = values
	}
	if len(a.Warnings) > 0 {
		seen["warnings"] = a.Warnings[:min(len(a.Warnings), 3)]
	}
}

// labelsOf are the labels of a series as Prometheus writes them, with a space behind; "" where there are none.
func labelsOf(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	pairs := make([]string, 0, len(labels))
	for name, value := range labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ", ") + "} "
}

// numbersShown is the number of a series; of a range, how many and the last.
func numbersShown(samples []prometheus.Sample) string {
	switch len(samples) {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprint(samples[0].Value)
	}
	return fmt.Sprintf("%d numbers, the last %v", len(samples), samples[len(samples)-1].Value)
}
