package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

var changedAt = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// latency is a series from a week before the change until six hours after it, every two minutes: level, and then times as much.
func latency(labels map[string]string, level, then float64) prometheus.Series {
	s, r := prometheus.Series{Labels: labels}, rand.New(rand.NewPCG(1, uint64(level)))
	for at := changedAt.Add(-7 * pipelines.Day); at.Before(changedAt.Add(6 * time.Hour)); at = at.Add(2 * time.Minute) {
		v := level * (1 + 0.05*r.NormFloat64())
		if !at.Before(changedAt) {
			v *= then
		}
		s.Samples = append(s.Samples, prometheus.Sample{Time: at, Value: v})
	}
	return s
}

func latencyOf(name string, level, then float64) prometheus.Series {
	return latency(map[string]string{"cluster": name}, level, then)
}

// compared is a question about the cluster eu-1, which has been changed, as eu-2 has.
func compared(b pipelines.Baseline) Question {
	q := Question{Began: changedAt, Facts: rule.Facts{Unit: rule.Unit{Group: "eu", Cluster: "eu-1"}}}
	q.Step.Metrics = &pipelines.Metrics{PromQL: "latency", Baseline: &b}
	q.Step.DataSources = []pipelines.BoundDataSource{{Name: "main", ClusterGroups: []string{"eu"}}}
	q.Place = &Place{Cluster: "eu-1", Untouched: func(_ context.Context, name string) (bool, error) {
		if name == "lost" {
			return false, errors.New("the ledger is away")
		}
		return name != "eu-2", nil
	}}
	return q
}

func partOf(a prometheus.Answer) prometheus.Answer {
	a.Warnings = []string{"one store is down"}
	return a
}

func TestBaseline(t *testing.T) {
	over := pipelines.Duration(6 * time.Hour)
	before := pipelines.Baseline{Against: pipelines.BaselineBefore, Worse: pipelines.WorseHigher, Over: &over}
	stable := pipelines.Baseline{Against: pipelines.BaselineStableUnits, Worse: pipelines.WorseHigher, Over: &over}
	matrix := func(series ...prometheus.Series) prometheus.Answer {
		return prometheus.Answer{Type: prometheus.Matrix, Series: series}
	}
	for _, c := range []struct {
		reason string
		ask    pipelines.Baseline
		answer prometheus.Answer
		err    error
		want   api.Verdict
		says   string
	}{
		{reason: "as before", ask: before, answer: matrix(latency(nil, 100, 1)), want: api.Passed, says: "not worse beyond chance"},
		{reason: "a fifth more", ask: before, answer: matrix(latency(nil, 100, 1.2)), want: api.Failed, says: "worse beyond chance: +20"},
		{reason: "no series", ask: before, answer: matrix(), want: api.Inconclusive, says: "no data from before"},
		{reason: "two series", ask: before, answer: matrix(latencyOf("a", 1, 1), latencyOf("b", 1, 1)), want: api.Error, says: "2 series"},
		{reason: "no subqueries", ask: before, answer: prometheus.Answer{Type: prometheus.Vector}, want: api.Error, says: "subqueries"},
		{reason: "it is away", ask: before, err: errors.New("connection refused"), want: api.Error, says: "DataSource main: connection refused"},

		{reason: "all are slower", ask: stable, answer: matrix(latencyOf("eu-1", 100, 1.5), latencyOf("us-1", 30, 1.5), latencyOf("us-2", 300, 1.5)),
			want: api.Passed},
		{reason: "the changed one is slower", ask: stable,
			answer: matrix(latencyOf("us-1", 30, 1), latencyOf("eu-1", 100, 1.2), latencyOf("us-2", 300, 1)), want: api.Failed},
		{reason: "what is changed too is held against nothing", ask: stable,
			answer: matrix(latencyOf("eu-1", 100, 1.2), latencyOf("eu-2", 100, 1.2)), want: api.Inconclusive, says: "0 blocks"},
		{reason: "a part of the answer", ask: stable, answer: partOf(matrix(latencyOf("eu-1", 100, 1), latencyOf("us-1", 30, 1))), want: api.Error,
			says: "less than all: one store is down"},
		{reason: "no series of the unit", ask: stable, answer: matrix(latencyOf("us-1", 30, 1)), want: api.Inconclusive, says: "no data"},
		{reason: "series without a cluster", ask: stable, answer: matrix(latency(nil, 1, 1)), want: api.Error, says: "named by the label cluster"},
		{reason: "two series of a cluster", ask: stable, answer: matrix(latencyOf("eu-1", 1, 1), latencyOf("eu-1", 1, 1)), want: api.Error,
			says: "one series for each cluster"},
		{reason: "nobody knows what is changed", ask: stable, answer: matrix(latencyOf("eu-1", 1, 1), latencyOf("lost", 1, 1)), want: api.Error,
			says: "cannot tell whether lost is changed: the ledger is away"},
	} {
		asked := 0
		m := NewMetrics(testclock.NewFakePassiveClock(changedAt.Add(6*time.Hour)), AskerFunc(
			func(_ context.Context, _ pipelines.BoundDataSource, promql string) (prometheus.Answer, error) {
				asked++
				return c.answer, c.err
			}))
		q := compared(c.ask)
		f := m.Ask(t.Context(), q)
		if f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s %q, want %s %q", c.reason, f.Verdict, f.Message, c.want, c.says)
		}
		if _, err := json.Marshal(f.Seen); err != nil || f.Seen["dataSource"] != "main" {
			t.Errorf("%s: saw %v: %v", c.reason, f.Seen, err)
		}
		if f.Verdict != api.Passed && f.Verdict != api.Failed {
			continue
		}
		q.Kept = f.Keep
		if again := m.Ask(t.Context(), q); again.Verdict != f.Verdict || again.Message != f.Message || asked != 1 {
			t.Errorf("%s: the last look is repeated as %s %q, with %d questions", c.reason, again.Verdict, again.Message, asked)
		}
	}
}

// TestBaselineWaitsForItsLooks measures every ten minutes: no look is made before it is due, and none twice.
func TestBaselineWaitsForItsLooks(t *testing.T) {
	over := pipelines.Duration(6 * time.Hour)
	clocked := testclock.NewFakePassiveClock(changedAt)
	var queries []string
	m := NewMetrics(clocked, AskerFunc(func(_ context.Context, _ pipelines.BoundDataSource, promql string) (prometheus.Answer, error) {
		queries = append(queries, promql)
		return prometheus.Answer{Type: prometheus.Matrix, Series: []prometheus.Series{latency(nil, 100, 1)}}, nil
	}))
	q := compared(pipelines.Baseline{Against: pipelines.BaselineBefore, Worse: pipelines.WorseHigher, Over: &over})
	f := m.Ask(t.Context(), q)
	if want := changedAt.Add(time.Hour); !f.Again.Equal(want) || len(queries) != 0 {
		t.Errorf("at first: asked %d times, again at %s; want none, and %s", len(queries), f.Again, want)
	}
	for at := time.Hour; at <= 8*time.Hour; at += 10 * time.Minute {
		clocked.SetTime(changedAt.Add(at))
		f = m.Ask(t.Context(), q)
		if f.Verdict != api.Passed {
			t.Errorf("after %s: %s %q", at, f.Verdict, f.Message)
		}
		q.Kept = f.Keep
		if len(q.Kept) > 1024 {
			t.Errorf("it keeps %d bytes", len(q.Kept))
		}
	}
	// The first look waits for enough blocks, and is the second of twelve.
	if len(queries) != 11 {
		t.Errorf("asked %d times, want 11", len(queries))
	}
	if want := fmt.Sprintf("(latency\n)[%ds:112s]", 7*24*3600+6*3600); queries[len(queries)-1] != want {
		t.Errorf("asked %q, want %q", queries[len(queries)-1], want)
	}
	q.Kept = []byte("{")
	if f := m.Ask(t.Context(), q); f.Verdict != api.Error {
		t.Errorf("what was kept cannot be read: %s %q", f.Verdict, f.Message)
	}
}

// TestBaselineOnAPrometheusWithAPast asks a real server about three days before a change and six hours since.
func TestBaselineOnAPrometheusWithAPast(t *testing.T) {
	clocked := clock.RealClock{}
	now := clocked.Now().Truncate(time.Second)
	changed := now.Add(-6 * time.Hour)
	r, text := rand.New(rand.NewPCG(5, 5)), &strings.Builder{}
	text.WriteString("# TYPE latency gauge\n")
	levels := map[string]float64{"eu-1": 100, "us-1": 30, "us-2": 300}
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		for at := changed.Add(-3 * pipelines.Day); at.Before(now); at = at.Add(2 * time.Minute) {
			v := levels[name] * (1 + 0.05*r.NormFloat64())
			if name == "eu-1" && !at.Before(changed) {
				v *= 1.2
			}
			fmt.Fprintf(text, "latency{cluster=%q} %.3f %d\n", name, v, at.Unix())
		}
	}
	text.WriteString("# EOF\n")
	server := prometheustest.Filled(t, text.String())
	m := NewMetrics(clocked, NewDataSources(secret.Store{}))
	over := pipelines.Duration(6 * time.Hour)
	for _, c := range []struct {
		reason string
		promql string
		ask    pipelines.Baseline
		want   api.Verdict
	}{
		{"slower than before", `latency{cluster="eu-1"}`,
			pipelines.Baseline{Against: pipelines.BaselineBefore, Worse: pipelines.WorseHigher, Over: &over}, api.Failed},
		{"as before", `latency{cluster="us-1"}`,
			pipelines.Baseline{Against: pipelines.BaselineBefore, Worse: pipelines.WorseHigher, Over: &over}, api.Passed},
		{"slower than others", `max by (cluster) (latency)`,
			pipelines.Baseline{Against: pipelines.BaselineStableUnits, Worse: pipelines.WorseHigher, Over: &over}, api.Failed},
		{"not faster than others", `max by (cluster) (latency)`,
			pipelines.Baseline{Against: pipelines.BaselineStableUnits, Worse: pipelines.WorseLower, Over: &over}, api.Passed},
	} {
		q := compared(c.ask)
		q.Began, q.Step.Metrics.PromQL, q.Step.DataSources[0].Endpoint = changed, c.promql, pipelines.Endpoint{
			Type: pipelines.Prometheus, Address: server.URL,
		}
		f := m.Ask(t.Context(), q)
		t.Logf("%s: %s %s %v", c.reason, f.Verdict, f.Message, f.Seen)
		if f.Verdict != c.want {
			t.Errorf("%s: want %s", c.reason, c.want)
		}
	}
}
