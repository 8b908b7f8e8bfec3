package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// stopped is a run that a check stopped in its second stage, and that took that cluster back.
func stopped() report.Facts {
	crash := api.Check{
		Name: "pods-stay-healthy", At: "during", Verdict: api.Failed, Message: "containers of the new version crash",
		Seen: map[string]any{"workload.waiting": []string{"CrashLoopBackOff"}, "workload.restarts": 3},
	}
	fine := api.Check{Name: "batch-is-ready", At: "afterBatch", Verdict: api.Passed, Seen: map[string]any{"batch.target": 1}}
	batch := func(cluster string, n, from, updated int, checks ...api.Check) api.BatchStatus {
		return api.BatchStatus{
			Path: fmt.Sprintf("prod/%s/all/%d", cluster, n), Workload: "DaemonSet/infra/agent", NodeSet: "all", Number: n, Target: updated, Total: 4,
			Updated: updated, Ready: updated, Phase: api.PhaseSucceeded, Started: at(from), Ended: at(from + 20), Checks: checks,
		}
	}
	bad := batch("eu-1", 1, 70, 1, crash)
	bad.Phase = api.PhaseFailed
	return report.Facts{
		Made: at(600), Origin: "github.com/acme/fleet at 3f2a9c0", PlannedBy: "ann (unverified)", PlannedAt: at(-300),
		Run: api.RunStatus{
			Name: "agent-3", Subject: api.Component("agent"), Version: "3.0.0", Pipeline: "careful", Plan: "sha256:5f29", Phase: api.PhaseRolledBack,
			By: "ann (unverified)", Reason: "weekly release", Started: at(0), Ended: at(120),
			Stages: []api.StageStatus{
				{Name: "canary", Phase: api.PhaseSucceeded, Units: []api.UnitStatus{{
					Path: "canary/c-1", Cluster: "c-1", Group: "canary", Stage: "canary", Phase: api.PhaseSucceeded, Version: "3.0.0", Moved: true,
					Started: at(1), Ended: at(60), Batches: []api.BatchStatus{batch("c-1", 1, 2, 1, fine), batch("c-1", 2, 30, 4, fine)},
				}}},
				{Name: "production", Phase: api.PhaseRolledBack, Units: []api.UnitStatus{
					{
						Path: "prod/eu-1", Cluster: "eu-1", Group: "prod", Stage: "production", Phase: api.PhaseRolledBack, Version: "2.0.0", Moved: true,
						Started: at(65), Ended: at(118), Cause: &crash, CauseAt: "prod/eu-1/all/1", Batches: []api.BatchStatus{bad},
						Kept: []string{"Namespace/infra"}, Ending: &api.Ending{By: api.BySluice},
					},
					{Path: "prod/eu-2", Cluster: "eu-2", Group: "prod", Stage: "production", Phase: api.PhasePending},
				}},
			},
		},
		Diffs: []plan.Shared{{Clusters: []string{"c-1", "eu-1"}, Own: []string{"<cluster>"}, Text: "patch  DaemonSet/infra/agent\n-image: agent:2\n+image: agent:3"}},
		Blames: []report.Blame{{Unit: "prod/eu-1", At: at(85), More: 2, Note: "only the last 500 runs were looked at", Suspects: []blame.Suspect{
			{Touch: blame.Touch{Kind: blame.Run, Run: "agent-3", Component: api.Component("agent"), Version: "3.0.0", Cluster: "eu-1", What: "prod/eu-1: RolledBack"}, Why: "it is the run's own change; under way then"},
			{Touch: blame.Touch{Kind: blame.Drift, Cluster: "eu-1", What: "a plan saw ConfigMap/infra/a: /data | changed"}, Why: "same cluster, no component; 3m0s before"},
		}}},
		Deeds: []report.Deed{
			{At: at(0), Who: "ann (unverified)", Command: "run", Reason: "weekly release", Outcome: "accepted"},
			{At: at(20), Who: "bob (unverified)", Command: "pause", Reason: "error rate in checkout", Outcome: "accepted"},
			{At: at(25), Who: "bob (unverified)", Command: "resume", Outcome: "accepted"},
			{At: at(26), Who: "eve (unverified)", Command: "approve", Outcome: "refused: nothing waits for it"},
		},
		Freezes: []api.Freeze{{
			Name: "freeze-1", By: "cat (unverified)", Reason: "big sale", InFlight: api.PauseAtBoundary, Scope: api.FreezeScope{Environment: "production"},
			Since: at(61), Lifted: at(64), LiftedBy: "cat (unverified)", LiftReason: "it is over",
		}},
	}
}

func written(t *testing.T, f report.Facts) (markdown, html string) {
	t.Helper()
	var md, page bytes.Buffer
	d := report.Of(f)
	if err := d.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	if err := d.HTML(&page); err != nil {
		t.Fatal(err)
	}
	return md.String(), page.String()
}

func TestAReportOfARunThatWasStopped(t *testing.T) {
	md, page := written(t, stopped())
	for name, got := range map[string]string{"stopped.md": md, "stopped.html": page} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNothingInAReportIsTakenForMarkup: names and messages are written by whoever writes to a cluster.
func TestNothingInAReportIsTakenForMarkup(t *testing.T) {
	const evil = "<script>alert(1)</script> | `x` [l](http://e) \x1b[31m \u202eabc \"><img src=x onerror=y>"
	f := stopped()
	u := &f.Run.Stages[1].Units[0]
	u.Cause = &api.Check{Name: evil, At: evil, Verdict: api.Failed, Message: evil, Seen: map[string]any{evil: evil}}
	u.Cluster, u.Path, u.Group, u.Version, u.Kept = evil, evil, evil, evil, []string{evil}
	f.Run.Name, f.Run.Version, f.Run.By, f.Run.Reason, f.Run.Pipeline, f.Note, f.Origin = evil, evil, evil, evil, evil, evil, evil
	f.Deeds[1] = report.Deed{At: at(3), Who: evil, Command: evil, Scope: evil, Reason: evil, Outcome: evil}
	f.Freezes[0].Reason, f.Undiffed = evil, evil
	f.Diffs = []plan.Shared{{Clusters: []string{evil}, Text: "```\n" + evil}}
	md, page := written(t, f)
	text, diffs, _ := strings.Cut(md, "\n## Diffs\n")
	outside := regexp.MustCompile("(?s)```.*?\n```\n").ReplaceAllString(text, "") // what stands in a fence is no markup
	if !strings.Contains(diffs, "\n````diff\n```\n") || !strings.Contains(diffs, "\n````\n") {
		t.Errorf("a diff ends its own fence:\n%s", diffs)
	}
	for _, not := range []string{"<script", "<img", " | `x`", " [l](", "\x1b", "\u202e"} {
		if strings.Contains(outside, not) {
			t.Errorf("Markdown has %q in it:\n%s", not, outside)
		}
	}
	for _, not := range []string{"<script", "<img", "\x1b", "\u202e"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q in it", not)
		}
	}
	for _, outside := range []string{"<script", "src=", "<link", "@import", "url("} {
		if _, clean := written(t, stopped()); strings.Contains(clean, outside) {
			t.Errorf("the page asks for something else: %q", outside)
		}
	}
}

func TestAReportShowsNoSecrets(t *testing.T) {
	f := stopped()
	f.Run.Reason = "login with password=hunter2hunter2"
	f.Deeds[1].Reason = "token: s3cr3ts3cr3t"
	f.Run.Stages[1].Units[0].Cause.Seen = map[string]any{"http.token": "s3cr3ts3cr3t"}
	f.Run.Stages[1].Units[0].Cause.Message = "Authorization: Bearer s3cr3ts3cr3t"
	md, page := written(t, f)
	for _, text := range []string{md, page} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "s3cr3t") {
			t.Errorf("a secret is in the report:\n%s", text)
		}
	}
}

// TestAReportHasBounds: of ten thousand clusters, all that went the same way are told as one, and those that did not by name.
func TestAReportHasBounds(t *testing.T) {
	f := stopped()
	crash := f.Run.Stages[1].Units[0]
	for i := range 10_000 {
		u := f.Run.Stages[0].Units[0]
		u.Cluster, u.Stage = fmt.Sprintf("c-%05d", i), "production"
		u.Path, u.Started, u.Ended = "prod/"+u.Cluster, at(i), at(i+60)
		if i%100 == 7 { // each for a reason of its own
			cause := *crash.Cause
			cause.Message = fmt.Sprintf("pod-%d crashes", i)
			u.Phase, u.Cause, u.CauseAt = api.PhaseRolledBack, &cause, u.Path+"/all/1"
		}
		f.Run.Stages[1].Units = append(f.Run.Stages[1].Units, u)
	}
	for range 3000 {
		f.Deeds = append(f.Deeds, report.Deed{At: at(5), Who: "bot", Command: "pause", Reason: strings.Repeat("flood ", 500), Outcome: "accepted"})
		f.Diffs = append(f.Diffs, plan.Shared{Clusters: []string{"c"}, Text: strings.Repeat(strings.Repeat("x", 2000)+"\n", 300)})
	}
	f.Run.Ended = at(11_000)
	md, page := written(t, f)
	const most = 3 << 20
	if len(md) > most || len(page) > most {
		t.Errorf("a report has %d and %d bytes, of at most %d", len(md), len(page), most)
	}
	d := report.Of(f)
	if len(d.Timeline) > 400 || len(d.Clusters) > 60 || len(d.Gantt.Bars) > 60 || len(d.Findings) > 50 || len(d.Deeds) > 200 || len(d.Diffs) > 12 {
		t.Errorf("it lists %d moments, %d rows, %d bars, %d verdicts, %d deeds and %d diffs",
			len(d.Timeline), len(d.Clusters), len(d.Gantt.Bars), len(d.Findings), len(d.Deeds), len(d.Diffs))
	}
	for _, says := range []string{"9900 clusters of stage production ended: Succeeded", "pod-7 crashes", "Of 10003 clusters: 9901 succeeded, 101 went back, 1 not touched."} {
		if !strings.Contains(md, says) || !strings.Contains(page, says) {
			t.Errorf("it does not say %q", says)
		}
	}
	if n := len(d.Progress.Lines[0].Points); n > 40_000 {
		t.Errorf("a curve has %d bytes", n)
	}
}

func TestAReportOfARunThatWasTakenBackAfterItsEnd(t *testing.T) {
	f := stopped()
	u := &f.Run.Stages[0].Units[0]
	f.Before = map[string]api.UnitStatus{u.Path: *u}
	u.Phase, u.Started, u.Ended, u.Batches = api.PhaseRolledBack, at(90), at(110), nil
	md, _ := written(t, f)
	for _, says := range []string{"canary/c-1 ended: Succeeded", "12:01:30 canary/c-1 began to go back", "canary/c-1 all, batch 2: 4 of 4 pods updated"} {
		if !strings.Contains(md, says) {
			t.Errorf("it does not say %q:\n%s", says, md)
		}
	}
	if p := report.Of(f).Progress.Lines; p[0].Most != 1 || p[1].Most != 5 || !strings.HasSuffix(p[0].Points, ",160.0") {
		t.Errorf("the chart draws %+v", p)
	}
}

func TestAReportOfARunThatIsOpen(t *testing.T) {
	f := stopped()
	f.Run.Phase, f.Run.Ended = api.PhaseHeld, time.Time{}
	f.Run.Waiting = &api.Waiting{Kind: api.WaitDecision, Name: "prod/eu-1", Since: at(95)}
	md, _ := written(t, f)
	for _, says := range []string{"agent 3.0.0 is Held.", "It waits for decision prod/eu-1.", "it is open: this is how it is at 2026-11-22 12:10:00", "12:01:35 since then it waits"} {
		if !strings.Contains(md, says) {
			t.Errorf("it does not say %q:\n%s", says, md)
		}
	}
}
