package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// source is a data source of cluster groups; of all where none is named.
func source(name string, groups ...string) *pipelines.DataSource {
	s := &pipelines.DataSource{Metadata: pipelines.Metadata{Name: name}}
	s.Spec.Endpoint = pipelines.Endpoint{
		Type: pipelines.Prometheus, Address: "http://" + name, Tenant: "t", BearerToken: &pipelines.WorkerSecret{Env: "SLUICE_SECRET_TOKEN"},
	}
	s.Spec.ClusterGroups = pipelines.Selector{Names: groups, All: len(groups) == 0}
	return s
}

func asDefault(s *pipelines.DataSource) *pipelines.DataSource {
	s.Spec.Default = true
	return s
}

// measured is an input with two cluster groups in one stage, and a check that asks for metrics.
func measured(m pipelines.Metrics, at pipelines.Point, sources ...*pipelines.DataSource) plan.Input {
	d := documents([]*pipelines.ClusterGroup{group("eu", "production"), group("us", "production")},
		[]*pipelines.Cluster{cluster("a", "eu", 1), cluster("b", "us", 1)})
	d.DataSources = map[string]*pipelines.DataSource{}
	for _, s := range sources {
		d.DataSources[s.Metadata.Name] = s
	}
	in := input(d, stage("all", ""))
	in.Component.Spec.Indicators = &pipelines.Indicators{Queries: []pipelines.IndicatorQuery{
		{Name: "success-rate", PromQL: `ok{cluster="$(unit.cluster)"}`}, {Name: "special", PromQL: "ok", DataSource: "special"},
	}}
	in.Pipeline.Spec.Defaults.Checks = []pipelines.Check{{Name: "rate", At: []pipelines.Point{at}, TaskSpec: &pipelines.TaskSpec{
		Steps: []pipelines.Step{{Name: "ask", StepKinds: pipelines.StepKinds{Metrics: &m}}},
	}}}
	return in
}

func TestMetricsAreBoundToDataSources(t *testing.T) {
	query, inline := pipelines.Metrics{Query: "success-rate"}, pipelines.Metrics{PromQL: "up"}
	both := func() *pipelines.DataSource { return source("all") }
	for _, c := range []struct {
		reason string
		step   pipelines.Metrics
		at     pipelines.Point
		has    []*pipelines.DataSource
		want   map[string][]string // cluster groups by data source
		promql string
		code   fault.Code
		says   string
	}{
		{"the query is the component's", query, pipelines.AfterBatch, []*pipelines.DataSource{both()},
			map[string][]string{"all": {"eu", "us"}}, `ok{cluster="$(unit.cluster)"}`, "", ""},
		{"each group has its own", inline, pipelines.During, []*pipelines.DataSource{source("of-us", "us"), source("of-eu", "eu")},
			map[string][]string{"of-eu": {"eu"}, "of-us": {"us"}}, "up", "", ""},
		{"of several the default", inline, pipelines.During, []*pipelines.DataSource{both(), asDefault(source("main"))},
			map[string][]string{"main": {"eu", "us"}}, "up", "", ""},
		{"the indicator names it", pipelines.Metrics{Query: "special"}, pipelines.During, []*pipelines.DataSource{asDefault(both()), source("special")},
			map[string][]string{"special": {"eu", "us"}}, "ok", "", ""},
		{"the step names it, whatever the indicator says", pipelines.Metrics{Query: "special", DataSource: "all"}, pipelines.During,
			[]*pipelines.DataSource{both(), source("special")}, map[string][]string{"all": {"eu", "us"}}, "ok", "", ""},
		{"one question about a stage, and one who knows all of it", inline, pipelines.AfterStage, []*pipelines.DataSource{both()},
			map[string][]string{"all": {"eu", "us"}}, "up", "", ""},
		{"nobody knows all of the stage", inline, pipelines.AfterStage, []*pipelines.DataSource{source("of-us", "us"), source("of-eu", "eu")},
			nil, "", fault.Refused, "cannot bind check rate/ask: afterStage is about clusters of several DataSources (of-eu, of-us)"},
		{"a group has none", inline, pipelines.During, []*pipelines.DataSource{source("of-us", "us")},
			nil, "", fault.Refused, "no DataSource has cluster group eu"},
		{"which of several is not said", inline, pipelines.During, []*pipelines.DataSource{both(), source("main")},
			nil, "", fault.Refused, "cluster group eu has several DataSources (all, main)"},
		{"two are the default", inline, pipelines.During, []*pipelines.DataSource{asDefault(both()), asDefault(source("main"))},
			nil, "", fault.Refused, "several DataSources that are default: all, main"},
		{"the one that is named does not have the group", pipelines.Metrics{PromQL: "up", DataSource: "of-us"}, pipelines.During,
			[]*pipelines.DataSource{both(), source("of-us", "us")}, nil, "", fault.Refused, "DataSource of-us does not have cluster group eu"},
		{"the one that is named is not there", pipelines.Metrics{PromQL: "up", DataSource: "x"}, pipelines.During,
			[]*pipelines.DataSource{both()}, nil, "", fault.Refused, "there is no DataSource x"},
		{"the component has no such indicator", pipelines.Metrics{Query: "succes-rate"}, pipelines.During,
			[]*pipelines.DataSource{both()}, nil, "", fault.Invalid, "component node-agent has no indicator succes-rate: did you mean success-rate?"},
		{"the indicator speaks of a cluster, and there is none", query, pipelines.AfterStage,
			[]*pipelines.DataSource{both()}, nil, "", fault.Invalid, "indicator success-rate names $(unit.cluster), and runs afterStage"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			in := measured(c.step, c.at, c.has...)
			p, err := plan.Build(in)
			if fault.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %s: %s", err, c.code, c.says)
			}
			if written := in.Pipeline.Spec.Defaults.Checks[0].TaskSpec.Steps[0].Metrics; cmp.Diff(c.step, *written) != "" {
				t.Errorf("the document was changed: %+v", written)
			}
			if err != nil {
				return
			}
			step := p.Stages[0].Rules.Checks[0].Steps[0]
			got := map[string][]string{}
			for _, s := range step.DataSources {
				got[s.Name] = s.ClusterGroups
			}
			if diff := cmp.Diff(c.want, got); diff != "" || step.Metrics.PromQL != c.promql {
				t.Errorf("it asks %s:\n%s", step.Metrics.PromQL, diff)
			}
		})
	}
}

func TestChecksOfTheRunAreBoundToo(t *testing.T) {
	p := build(t, measured(pipelines.Metrics{PromQL: "up"}, pipelines.AfterRun, source("main")))
	if got, ok := p.Checks[0].Steps[0].DataSourceOf(""); !ok || got.Address != "http://main" || len(got.ClusterGroups) != 2 {
		t.Errorf("it asks %+v", p.Checks[0].Steps[0].DataSources)
	}
}

func TestTasksOfTheRunAreBoundToo(t *testing.T) {
	m := pipelines.Metrics{PromQL: "up"}
	task := pipelines.PipelineTask{Name: "ask", TaskSpec: &pipelines.TaskSpec{
		Steps: []pipelines.Step{{Name: "rate", StepKinds: pipelines.StepKinds{Metrics: &m}}},
	}}
	in := measured(m, pipelines.During, source("of-us", "us"), source("of-eu", "eu"))
	in.Pipeline.Spec.Tasks = []pipelines.PipelineTask{task}
	if _, err := plan.Build(in); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "a task of the run is about clusters of several") {
		t.Errorf("about all clusters: %v", err)
	}
	in.Pipeline.Spec.Tasks[0].Cluster = "b"
	p := build(t, in)
	if got, ok := p.Tasks.First[0].Check.Steps[0].DataSourceOf("us"); !ok || got.Name != "of-us" {
		t.Errorf("about a cluster it asks %+v", p.Tasks.First[0].Check.Steps[0].DataSources)
	}
}

func TestAPlanSaysWhomItsChecksAsk(t *testing.T) {
	in := measured(pipelines.Metrics{PromQL: "up"}, pipelines.During, source("main"))
	p := build(t, in)
	want := "checks ask DataSource main at http://main (tenant t) about eu, us"
	if !strings.Contains(strings.Join(p.Notes, "\n"), want) {
		t.Errorf("the notes are %q", p.Notes)
	}
	body, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := plan.Decode(body)
	if err != nil || plan.Hash(again) != plan.Hash(p) {
		t.Fatalf("it does not survive JSON: %v", err)
	}
	in.Documents.DataSources["main"].Spec.Address = "http://elsewhere"
	if plan.Hash(build(t, in)) == plan.Hash(p) {
		t.Error("its hash does not cover whom it asks")
	}
}
