package pipelines_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(apiVersion.*?)```")

// TestTheExampleOfProbesLoads: what the guide shows can be written.
func TestTheExampleOfProbesLoads(t *testing.T) {
	guide, err := os.ReadFile("../docs/probes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllSubmatch(guide, -1)
	if len(blocks) == 0 {
		t.Fatal("the guide has no example")
	}
	for _, b := range blocks {
		if _, err := pipelines.Parse(pipelines.Source{Name: "probes.md", Data: b[1]}); err != nil {
			t.Error(err)
		}
	}
}

// TestWhatStandsForANameInAPatternIsTakenLiterally: a param is text, and no pattern that somebody slips in.
func TestWhatStandsForANameInAPatternIsTakenLiterally(t *testing.T) {
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{
		URL: "http://$(params.v)/", Expect: &pipelines.HTTPExpect{
			Status: []pipelines.IntOrText{"$(params.v)"}, Match: "^$(params.v)$", Headers: map[string]string{"X-Version": "$(params.v)"},
		},
	}}}
	got, err := step.Expanded(func(string) (any, bool) { return "1.2+", true })
	if err != nil {
		t.Fatal(err)
	}
	h := got.HTTP
	said := []string{h.URL, string(h.Expect.Status[0]), h.Expect.Match, h.Expect.Headers["X-Version"]}
	if want := []string{"http://1.2+/", "1.2+", `^1\.2\+$`, `1\.2\+`}; !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	if step.HTTP.Expect.Match != "^$(params.v)$" {
		t.Errorf("the step itself was changed: %s", step.HTTP.Expect.Match)
	}
}

// TestAValueOfABodyMayBeNamed: a version that answers is compared with the one that is meant, not with the name of a name.
func TestAValueOfABodyMayBeNamed(t *testing.T) {
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://a.test", Expect: &pipelines.HTTPExpect{
		JSON: []pipelines.JSONValue{
			{Pointer: "/version", Equals: "v$(change.version)"}, {Pointer: "/up", Equals: true}, {Pointer: "/n", Equals: int64(3)},
		},
	}}}}
	if names := step.References(); !slices.Equal(names, []string{"change.version"}) {
		t.Errorf("it names %q", names)
	}
	got, err := step.Expanded(func(string) (any, bool) { return "1.2", true })
	if err != nil {
		t.Fatal(err)
	}
	want := []pipelines.JSONValue{{Pointer: "/version", Equals: "v1.2"}, {Pointer: "/up", Equals: true}, {Pointer: "/n", Equals: int64(3)}}
	if !slices.Equal(got.HTTP.Expect.JSON, want) {
		t.Errorf("it wants %+v", got.HTTP.Expect.JSON)
	}
	if step.HTTP.Expect.JSON[0].Equals != "v$(change.version)" {
		t.Errorf("the step itself was changed: %v", step.HTTP.Expect.JSON)
	}
}

// TestAStepSaysWhatItMayChange: who approves a plan reads it there, and nowhere else.
func TestAStepSaysWhatItMayChange(t *testing.T) {
	for _, c := range []struct {
		reason string
		kinds  pipelines.StepKinds
		says   string
	}{
		{"a job without rights", pipelines.StepKinds{Job: &pipelines.Job{Image: "a"}}, "creates pods in the cluster, and deletes them"},
		{"a job with those of an account", pipelines.StepKinds{Job: &pipelines.Job{Namespace: "apps", ServiceAccount: "admin"}},
			"creates pods in the cluster, and deletes them, may do there whatever ServiceAccount apps/admin may"},
		{"a job in the network of its node", pipelines.StepKinds{Job: &pipelines.Job{Profile: pipelines.ProfileHostNetwork}},
			"creates pods in the cluster, and deletes them, reaches what only its node does (profile host-network)"},
		{"a question", pipelines.StepKinds{HTTP: &pipelines.HTTP{Method: "HEAD"}}, "asks the URLs that it names, or pods and nodes, by HTTP"},
		{"more than a question", pipelines.StepKinds{HTTP: &pipelines.HTTP{Method: "DELETE"}},
			"asks the URLs that it names, or pods and nodes, by HTTP, may change whom it asks (DELETE)"},
		{"a question from inside", pipelines.StepKinds{DNS: &pipelines.DNS{ProbeAim: pipelines.ProbeAim{From: pipelines.FromCluster}}},
			"asks name servers, or pods and nodes, by DNS, " +
				"creates pods of the image of the worker's --prober-image in namespace sluice-system (profile restricted), and deletes them"},
		{"a question from inside elsewhere", pipelines.StepKinds{TCP: &pipelines.TCP{ProbeAim: pipelines.ProbeAim{
			From: pipelines.FromCluster, Pod: &pipelines.ProbePod{Namespace: "apps", Profile: pipelines.ProfileNode},
		}}}, "connects to the addresses that it names, or to pods and nodes, " +
			"creates pods of the image of the worker's --prober-image in namespace apps (profile node), and deletes them"},
	} {
		check := pipelines.ResolvedCheck{Steps: []pipelines.ResolvedStep{{StepKinds: c.kinds}}}
		if says := strings.Join(check.Does(), ", "); says != c.says {
			t.Errorf("%s: it %s", c.reason, says)
		}
	}
}
