package plan_test

import (
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// group is a cluster group of a test.
func group(name, environment string, after ...string) *pipelines.ClusterGroup {
	return &pipelines.ClusterGroup{
		Metadata: pipelines.Metadata{Name: name},
		Spec:     pipelines.ClusterGroupSpec{Environment: environment, BusinessSide: "retail", NetworkDomain: "vpc", After: after},
	}
}

// cluster is a cluster of a test. Grade makes its risk: a higher one goes later.
func cluster(name, group string, grade int, after ...string) *pipelines.Cluster {
	return &pipelines.Cluster{
		Metadata: pipelines.Metadata{Name: name},
		Spec: pipelines.ClusterSpec{
			Group: group, Region: "hangzhou", UserGrade: grade, After: after,
			Size: pipelines.Size{Nodes: 10, Pods: 200},
		},
	}
}

func at(region string, c *pipelines.Cluster) *pipelines.Cluster {
	c.Spec.Region = region
	return c
}

func labelled(key, value string, c *pipelines.Cluster) *pipelines.Cluster {
	c.Metadata.Labels = map[string]string{key: value}
	return c
}

func documents(groups []*pipelines.ClusterGroup, clusters []*pipelines.Cluster) *pipelines.Documents {
	d := &pipelines.Documents{
		Pipelines:     map[string]*pipelines.Pipeline{},
		Tasks:         map[string]*pipelines.Task{},
		Components:    map[string][]*pipelines.Component{},
		ClusterGroups: map[string]*pipelines.ClusterGroup{},
		Clusters:      map[string]*pipelines.Cluster{},
		Fleet:         pipelines.DefaultFleet(),
	}
	for _, g := range groups {
		d.ClusterGroups[g.Metadata.Name] = g
	}
	for _, c := range clusters {
		d.Clusters[c.Metadata.Name] = c
	}
	return d
}

// stage selects the cluster groups of an environment.
func stage(name, environment string, rules ...func(*pipelines.Rules)) pipelines.Stage {
	s := pipelines.Stage{Name: name, ClusterGroups: &pipelines.Selector{MatchLabels: map[string]string{"environment": environment}}}
	if environment == "" {
		s.ClusterGroups = &pipelines.Selector{All: true}
	}
	for _, rule := range rules {
		rule(&s.Rules)
	}
	return s
}

// mayBeEmpty lets stages select nothing.
func mayBeEmpty(stages ...pipelines.Stage) []pipelines.Stage {
	for i := range stages {
		stages[i].MayBeEmpty = true
	}
	return stages
}

// narrowed selects clusters by name.
func narrowed(name string, clusters ...string) pipelines.Stage {
	s := stage(name, "")
	s.Clusters = &pipelines.Selector{Names: clusters}
	return s
}

func concurrency(a pipelines.Amount) func(*pipelines.Rules) {
	return func(r *pipelines.Rules) { r.MaxConcurrency = &a }
}

func groupBy(key string) func(*pipelines.Rules) {
	return func(r *pipelines.Rules) { r.GroupBy = key }
}

func orderBy(by string, units ...string) func(*pipelines.Rules) {
	return func(r *pipelines.Rules) { r.Order = &pipelines.Order{By: by, Units: units} }
}

// input is a plan input that works.
func input(d *pipelines.Documents, stages ...pipelines.Stage) plan.Input {
	return plan.Input{
		Documents: d,
		Pipeline:  &pipelines.Pipeline{Metadata: pipelines.Metadata{Name: "agent"}, Spec: pipelines.PipelineSpec{Stages: stages}},
		Component: &pipelines.Component{
			Metadata: pipelines.Metadata{Name: "node-agent"},
			Spec: pipelines.ComponentSpec{
				Version: "1.4.2", Template: pipelines.Template{Chart: "chart"},
				Images: map[string]pipelines.Image{"agent": {Default: "registry/agent:1.4.2"}},
			},
		},
		Template: "sha256:template",
		Values:   func(p pipelines.Place) (string, error) { return "sha256:values-of-" + p.Cluster, nil },
		WayBack:  map[string]plan.WayBack{},
	}
}

func build(t testing.TB, in plan.Input) *plan.Plan {
	t.Helper()
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outline is the part of a plan that order tests look at: of each stage, of each group, the clusters.
func outline(p *plan.Plan) []string {
	var lines []string
	for _, s := range p.Stages {
		if s.Skipped != "" {
			lines = append(lines, fmt.Sprintf("%s: Skipped %s", s.Name, s.Skipped))
		}
		for _, g := range s.Groups {
			line := s.Name
			if g.Name != "" {
				line += "/" + g.Name
			}
			line += ":"
			for _, u := range g.Units {
				line += " " + u.Cluster
			}
			lines = append(lines, line)
		}
	}
	return lines
}
