package scenario_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines/catalog"
	"sluice.dev/sluice/scenario"
)

// TestScenarios plays every scenario that there is.
func TestScenarios(t *testing.T) {
	for _, path := range files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := parse(t, path)
			got, err := s.Play(catalog.Sources())
			if err != nil {
				t.Error(err)
			}
			if diff := scenario.Differs(s.Expected(), got); diff != nil {
				t.Errorf("decisions (- expected, + decided):\n%s", strings.Join(diff, "\n"))
			}
			if s.About == "" {
				t.Error("it does not say what it is about")
			}
		})
	}
}

func files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, folder := range []string{"testdata", "../examples/scenarios"} {
		found, err := filepath.Glob(folder + "/*.txtar")
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d scenarios, %v", folder, len(found), err)
		}
		all = append(all, found...)
	}
	return all
}

func parse(t *testing.T, path string) *scenario.Scenario {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(path, data, func(used string) ([]byte, error) { return os.ReadFile(filepath.Join(filepath.Dir(path), used)) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small is a scenario of one cluster and one check, with a script.
func small(script string) []byte {
	return []byte(`one cluster
-- docs.yaml --
apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: all}
spec: {environment: e2e, businessSide: shop, networkDomain: internal}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {group: all}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  defaults:
    checks:
    - {name: well, at: [afterBatch], gate: {cel: "true"}}
  stages:
  - {name: only, clusterGroups: {all: true}, batches: [100%]}
-- script --
` + script + "\n")
}

func TestMistakesAreToldWithTheirLine(t *testing.T) {
	for script, want := range map[string]string{
		"at 5m well Failed":                          `s.txtar:23:1: somebody abandons, aborts, approves, ends-soak, freezes, pauses, rejects, resumes, rolls-back, rolls-back-batch, skips, unfreezes, and does not "Failed"`,
		"at 5m check well Broken":                    `s.txtar:23:1: a verdict is Passed, Failed, Inconclusive or Error, and not "Broken"`,
		"at soon check well Failed":                  `s.txtar:23:1: "soon" is no duration`,
		"at 5m check well Failed \"no end":           `s.txtar:23:1: a text in quotes does not end on its line`,
		"at 5m check well Failed because":            `s.txtar:23:1: nothing follows here: "because"`,
		"from 5m to 4m cluster a unreachable":        `s.txtar:23:1: it ends at 4m, before it begins`,
		"from 5m to 1000d cluster a unreachable":     `s.txtar:23:1: 1000d is longer than a scenario may last, 90d`,
		"# fine\nwhen 5m":                            `s.txtar:24:1: a line begins with one of`,
		"at 5m check wel Failed":                     `s.txtar:23:1: there is no check wel: there are well`,
		"drill stoppedBy wel":                        `s.txtar:23:1: there is no check wel: there are well`,
		"drill clusters none":                        `s.txtar:23:1: "none" is no number of clusters`,
		"drill until 5m":                             `s.txtar:23:1: a drill has within DURATION, clusters N and stoppedBy CHECK, and not "until"`,
		"at 5m cluster b check well Failed":          `s.txtar:23:1: there is no cluster b: there are a`,
		"at 5m check well":                           `s.txtar:23:1: the line ends before it has said a verdict`,
		"cluster a has many pods":                    `s.txtar:23:1: "many" is no number of pods from 0 to 10000`,
		"use nothing.yaml":                           `s.txtar:23:1: cannot use nothing.yaml: `,
		"param depth 3":                              `depth`,
		"pipeline q":                                 `s.txtar has no pipeline q: there are p`,
		"batches take 1m\n-- more.txt --":            `s.txtar:24:1: part more.txt is unknown`,
		"-- more.yaml --\nkind: Pipelin":             `s.txtar:24:`,
		"component app 1 rollback Sometimes":         `s.txtar:23:1: rollback is Auto, Manual or Never, and not "Sometimes"`,
		"at 5m cluster a fails Something":            `s.txtar:23:1: what may fail is Acquire, `,
		"-- script --":                               `s.txtar:23:1: there is a second part script`,
		strings.Repeat("batches take 1m\n", 1001):    `s.txtar:1023:1: the script has more than 1000 lines`,
		strings.Repeat("# x\n", scenario.MaxBytes/4): `at most 262144 are read`,
	} {
		s, err := scenario.Parse("s.txtar", small(script), func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if err == nil {
			_, err = s.Play(nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", script, err, want)
		}
	}
}

func TestAScenarioThatDoesNotEndIsTold(t *testing.T) {
	for script, want := range map[string]string{
		"at 0s check well Inconclusive":       "it has not ended after 90d: the run is Held decision well: Inconclusive:",
		"at 0s cluster a unreachable":         "it has not ended after 90d: the run is Unreachable",
		"ends at 1h\nat 0s check well Failed": "",
	} {
		s, err := scenario.Parse("s.txtar", small(script), os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Play(nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q\n%s", script, err, want, strings.Join(got, "\n"))
		}
	}
}

func TestWhatIsUpdatedIsExpected(t *testing.T) {
	s, err := scenario.Parse("s.txtar", small("at 0s check well Failed\nends at 1h"), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Play(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := scenario.Parse("s.txtar", s.Updated(got), os.ReadFile)
	if err != nil || scenario.Differs(again.Expected(), got) != nil {
		t.Errorf("%v: %q, want %q", err, again.Expected(), got)
	}
	if first := "0s a/"; len(got) < 3 || slices.Equal(got, nil) || strings.HasPrefix(got[0], first) {
		t.Errorf("decisions are %q", got)
	}
}

func TestDiffersShowsBoth(t *testing.T) {
	got := scenario.Differs([]string{"0s  a  moves", "1m a ends"}, []string{"0s a moves", "1m a Held", "2m a ends"})
	want := []string{"  0s a moves", "- 1m a ends", "+ 1m a Held", "+ 2m a ends"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
