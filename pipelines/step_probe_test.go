package pipelines_test

import (
	"os"
	"regexp"
	"slices"
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
