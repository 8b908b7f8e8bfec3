package cli_test

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
)

func TestProbesAreRunFromTheCommandLine(t *testing.T) {
	ended := noon.Add(time.Minute)
	run := func(v api.Verdict, code, message string) []api.ProbedRun {
		return []api.ProbedRun{{Case: "pod-life", Target: "n1", Run: "sluice-probes/pod-life-1", Verdict: v, Code: code, Message: message}}
	}
	open := api.Probed{Cluster: "c1", Started: noon}
	for _, c := range []struct {
		reason, line string
		looks        []api.Probed
		code         int
		says         string
	}{
		{"it is begun, and not waited for", "probe run pod-life --cluster c1 --key k", nil, 0, "c1/pod-life/k: runs"},
		{"it passes", "probe run pod-life --cluster c1 --key k --wait", []api.Probed{open, {Ended: ended, Runs: run(api.Passed, "", "")}}, 0,
			"c1/pod-life/k: Passed\n  pod-life on n1: Passed (sluice-probes/pod-life-1)"},
		{"it fails, and says what", "probe run pod-life --cluster c1 --key k --wait",
			[]api.Probed{{Ended: ended, Runs: run(api.Failed, "PodNotReady", "not within 30s")}}, 1, "Failed: PodNotReady: not within 30s"},
		{"it cannot tell", "probe run pod-life --cluster c1 --key k --wait", []api.Probed{{Ended: ended, Runs: run(api.Inconclusive, "", "")}}, 3,
			"not every case could tell"},
		{"it has nothing to look at, and nobody has looked", "probe run pod-life --cluster c1 --key k --wait",
			[]api.Probed{{Ended: ended, Runs: run(api.Skipped, "", "")}}, 3, "not every case could tell"},
		{"it could not run", "probe run pod-life --cluster c1 --key k --wait", []api.Probed{{Ended: ended, Problem: "there is none"}}, 1,
			"could not run: there is none"},
		{"a set", "probe run plane --set --cluster c1 --key k --wait", []api.Probed{{Ended: ended, Runs: run(api.Passed, "", "")}}, 0,
			"c1/set:plane/k: Passed"},
		{"nobody answers to an event", "probe event restored --cluster c1 --key k --wait", []api.Probed{{Ended: ended}}, 0, "no case answers to it"},
		{"what came of it is told later", "probe result c1/pod-life/k", []api.Probed{{Ended: ended, Runs: run(api.Failed, "", "")}}, 1, "not every case passed"},
		{"nowhere", "probe run pod-life", nil, 2, "--cluster or --group is missing"},
		{"both", "probe run pod-life --cluster c1 --group prod", nil, 2, "not both"},
		{"a cluster that is not there", "probe run pod-life --cluster c9", nil, 1, "cannot find cluster c9"},
		{"a time that nobody waits for", "probe run pod-life --cluster c1 --timeout 1s", nil, 2, "--timeout goes with --wait"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := newSession(t)
			if _, errs, code := s.types("plan agent -f " + s.files); code != 0 {
				t.Fatal(errs)
			}
			s.server.probed = c.looks
			out, errs, code := s.types(c.line)
			if code != c.code || !strings.Contains(out+errs, c.says) {
				t.Errorf("exit code %d, want %d, and it says\n%s%s\nwant %q", code, c.code, out, errs, c.says)
			}
		})
	}
}
