package check

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/baseline"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/pipelines"
)

// How far back a comparison looks. What a day looks like takes several; of units that are seen at the same time two are plenty.
const (
	daysBefore = 7
	daysStable = 2
)

// compare holds a metric against its baseline. Only when a look is due does it ask the data source.
func (m *Metrics) compare(ctx context.Context, q Question, source pipelines.BoundDataSource) Finding {
	c := comparisonOf(q)
	var state baseline.State
	if q.Kept != nil {
		if err := json.Unmarshal(q.Kept, &state); err != nil {
			return Finding{Verdict: api.Error, Message: "cannot read what was kept of earlier looks: " + err.Error()}
		}
	}
	now := m.clock.Now()
	if due := c.Due(state); now.Before(due) || state.Looks == baseline.Looks {
		if state.Looks == 0 {
			return Finding{Again: due, Message: "the first look is due", Keep: q.Kept}
		}
		return looked(state.Last, state, nil)
	}
	query := backThen(q.Step.Metrics, c, now)
	seen := map[string]any{"query": clip.Runes(query, maxShownQuery), "dataSource": source.Name}
	answer, err := m.ask.Ask(ctx, source, query)
	if err == nil && answer.Type != prometheus.Matrix {
		err = fmt.Errorf("it answers a range with a %s: it does not know subqueries as Prometheus has them", answer.Type)
	}
	if err == nil && len(answer.Warnings) > 0 {
		err = fmt.Errorf("it says that its answer may be less than all: %s", answer.Warnings[0])
	}
	var data baseline.Data
	if err == nil {
		data, err = sidesOf(ctx, q, answer)
	}
	if err != nil {
		return Finding{
			Verdict: api.Error, Message: fmt.Sprintf("DataSource %s: %v", source.Name, err), Seen: seen, Keep: q.Kept,
		}
	}
	if c.Against == baseline.StableUnits {
		seen["stable"] = len(data.Stable)
	}
	result, next := c.Look(data, state, now)
	return looked(result, next, seen)
}

// comparisonOf is what a step asks of its baseline.
func comparisonOf(q Question) baseline.Comparison {
	b := q.Step.Metrics.Baseline
	over := b.Comparison(&q.Step.Repeat)
	c := baseline.Comparison{
		Against: baseline.Against(b.Against), Worse: baseline.Direction(b.Worse), Began: q.Began, Over: over, Step: b.Every(over),
		MinSamples: b.Least(), MinEffect: pipelines.DefaultMinEffect,
	}
	if b.MinEffect != nil {
		c.MinEffect = *b.MinEffect
	}
	return c
}

// backThen is the query over the time since a change and the days before it, a subquery that ends at the server's now.
func backThen(m *pipelines.Metrics, c baseline.Comparison, now time.Time) string {
	days := daysBefore
	if c.Against == baseline.StableUnits {
		days = daysStable
	}
	back := now.Sub(c.Began) + time.Duration(days)*pipelines.Day
	// The newline ends a comment that the query may end with.
	return fmt.Sprintf("(%s\n)[%ds:%ds]", m.PromQL, int(back.Seconds()), int(c.Step.Seconds()))
}

// sidesOf are the series of an answer: that of the unit, and those of clusters that the run has not changed.
func sidesOf(ctx context.Context, q Question, a prometheus.Answer) (d baseline.Data, err error) {
	b := q.Step.Metrics.Baseline
	if b.Against == pipelines.BaselineBefore {
		if len(a.Series) > 1 {
			return d, fmt.Errorf("the query yields %d series: against before it takes one; sum them, or name the cluster", len(a.Series))
		}
		for _, s := range a.Series {
			d.Changed = samplesOf(s)
		}
		return d, nil
	}
	label := b.ClusterLabel
	if label == "" {
		label = pipelines.DefaultClusterLabel
	}
	if q.Place == nil || q.Place.Untouched == nil {
		return d, fmt.Errorf("there is no unit here to hold against others")
	}
	series := slices.Clone(a.Series)
	slices.SortFunc(series, func(x, y prometheus.Series) int { return strings.Compare(x.Labels[label], y.Labels[label]) })
	for i, s := range series {
		name := s.Labels[label]
		if name == "" || i > 0 && series[i-1].Labels[label] == name {
			return d, fmt.Errorf("the query must yield one series for each cluster, named by the label %s", label)
		}
		if name == q.Place.Cluster {
			d.Changed = samplesOf(s)
			continue
		}
		if len(d.Stable) == baseline.MaxStable {
			continue
		}
		untouched, err := q.Place.Untouched(ctx, name)
		if err != nil {
			return d, fmt.Errorf("cannot tell whether %s is changed: %w", name, err)
		}
		if untouched {
			d.Stable = append(d.Stable, samplesOf(s))
		}
	}
	return d, nil
}

func samplesOf(s prometheus.Series) []baseline.Sample {
	out := make([]baseline.Sample, 0, len(s.Samples))
	for _, v := range s.Samples {
		out = append(out, baseline.Sample{At: v.Time, Value: v.Value})
	}
	return out
}

// looked is what a look found, with the figures that it rests on.
func looked(r baseline.Result, s baseline.State, seen map[string]any) Finding {
	f := Finding{Verdict: r.Verdict, Message: r.Message, Seen: seen}
	if keep, err := json.Marshal(s); err == nil {
		f.Keep = keep
	}
	if r.Samples == 0 {
		return f // it came to no figures
	}
	if f.Seen == nil {
		f.Seen = map[string]any{}
	}
	f.Seen["effect"], f.Seen["p"], f.Seen["bound"] = r.Effect, r.P, r.Bound
	f.Seen["samples"], f.Seen["memory"] = r.Samples, math.Round(10*r.Memory)/10
	f.Results = map[string]any{"effect": r.Effect, "p": r.P}
	return f
}
