//go:build unix

package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestAScriptOfTheWorker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smoke")
	lines := `#!/bin/sh
case "$1" in
pass) echo looking; echo "{\"message\": \"$PARAM_MIN_SUCCESS of $SLUICE_CLUSTER\", \"results\": {\"n\": 3}}" ;;
fail) echo "token=hidden" >&2; exit 1 ;;
unsure) exit 75 ;;
long) head -c 100000 /dev/zero | tr '\0' '{' ;;
esac
`
	if err := os.WriteFile(path, []byte(lines), 0o755); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{"smoke": path, "gone": path + "-not-there"}
	masked := func(text string) string { return strings.ReplaceAll(text, "hidden", "***") }
	for _, c := range []struct {
		reason string
		name   string
		arg    string
		want   api.Verdict
		says   string
	}{
		{"it passes, and reports in its last line", "smoke", "pass", api.Passed, "0.99 of eu-1"},
		{"it fails, and what it says is masked", "smoke", "fail", api.Failed, "exit status 1: token=***"},
		{"it cannot tell", "smoke", "unsure", api.Inconclusive, "exit status 75"},
		{"a report without end is not known", "smoke", "long", api.Error, "its last line is longer than 65536 bytes"},
		{"an argument is no command", "smoke", "; exit 1", api.Passed, "exit status 0"},
		{"nobody allowed it", "other", "", api.Error, "this worker does not allow the script other: it allows gone, smoke."},
		{"a path is no name", "../../bin/sh", "", api.Error, "this worker does not allow the script ../../bin/sh"},
		{"it is allowed, and not there", "gone", "", api.Error, "cannot start "},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := pipelines.Script{Name: c.name, Args: []string{c.arg}}
			if c.arg == "pass" {
				s.Results = []pipelines.TaskResult{{Name: "n", Type: pipelines.TypeInt}}
			}
			f := NewScripts(allowed, masked).Ask(t.Context(), Question{
				Step:   pipelines.ResolvedStep{Name: "smoke/run", StepKinds: pipelines.StepKinds{Script: &s}},
				Params: rule.Params{"minSuccess": 0.99}, Facts: rule.Facts{Unit: rule.Unit{Cluster: "eu-1"}},
			})
			if f.Verdict != c.want || !strings.HasPrefix(f.Message, c.says) {
				t.Errorf("%s: %q; want %s: %q", f.Verdict, f.Message, c.want, c.says)
			}
			if c.arg == "pass" && f.Results["n"] != int64(3) {
				t.Errorf("it hands out %v", f.Results)
			}
		})
	}
}

func TestAWorkerAllowsNoScriptUnlessToldTo(t *testing.T) {
	f := NewScripts(nil, asIs).Ask(t.Context(), Question{
		Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Script: &pipelines.Script{Name: "sh"}}},
	})
	if f.Verdict != api.Error || !strings.Contains(f.Message, "it allows none") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
}
