package demo

import (
	"fmt"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

func TestProvePassing(t *testing.T) {
	both := func(cluster string, asked, reads probing.State) []probing.Stand {
		return []probing.Stand{
			{Cluster: cluster, Case: webCase, Mode: probing.OneShot, State: asked},
			{Cluster: cluster, Case: apiCase, Mode: probing.Resident, State: reads},
		}
	}
	once := both("b", probing.Passing, probing.Passing)
	once[1].Mode = probing.OneShot
	tests := map[string]struct {
		reason string
		b      []probing.Stand
		want   string
	}{
		"All":         {"each case passes everywhere", both("b", probing.Passing, probing.Passing), ""},
		"Unknown":     {"nobody has looked", both("b", probing.Passing, probing.Unknown), "case api-reads in b should be Resident and Passing, and is Resident and Unknown"},
		"Failing":     {"what fails is not as told", both("b", probing.Failing, probing.Passing), "case web-answers in b should be"},
		"NotResident": {"it is there to show one that runs all the time", once, "case api-reads in b should be Resident"},
		"NotThere":    {"nothing is no pass", nil, "nothing is known of case"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := playOf()
			err := p.provePassing(append(both("a", probing.Passing, probing.Passing), tc.b...))
			if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || !strings.Contains(got, tc.want) {
				t.Errorf("%s: provePassing() = %v, want an error with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestProveCame(t *testing.T) {
	came := func(by probing.CauseKind, verdict api.Verdict) probing.Outcome {
		return probing.Outcome{Cause: probing.Cause{Kind: by}, Result: probing.Result{Verdict: verdict}}
	}
	tests := map[string]struct {
		reason string
		all    []probing.Outcome
		want   string
	}{
		"Both":       {"a check has found it, and a change has had it asked", []probing.Outcome{came(probing.ByGate, api.Failed), came(probing.ByEvent, api.Passed)}, ""},
		"EventBlind": {"who could not look has seen nothing", []probing.Outcome{came(probing.ByGate, api.Failed), came(probing.ByEvent, api.Error)}, "by event should be"},
		"NoEvent":    {"a schedule is no event", []probing.Outcome{came(probing.ByGate, api.Failed), came(probing.BySchedule, api.Passed)}, "by event should be [Failed Passed]"},
		"NoGate":     {"the check that passed has found nothing", []probing.Outcome{came(probing.ByGate, api.Passed), came(probing.ByEvent, api.Passed)}, "by gate should be [Failed]"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := proveCame(tc.all)
			if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || !strings.Contains(got, tc.want) {
				t.Errorf("%s: proveCame() = %v, want an error with %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestFleetOfTheDemo: the clusters that are started are of the agent's site, and no others.
func TestFleetOfTheDemo(t *testing.T) {
	for _, short := range []bool{true, false} {
		dir := t.TempDir()
		p := &play{o: Options{Examples: examples}, shape: shapeOf(short)}
		if err := p.writeFleet(dir); err != nil {
			t.Fatal(err)
		}
		docs, err := pipelines.Loader{}.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, c := range docs.Clusters {
			if c.Spec.Site == site {
				at++
			}
		}
		if at != len(p.shape.clusters) {
			t.Errorf("%d clusters are at the site, and %d are started", at, len(p.shape.clusters))
		}
	}
}

func TestReaches(t *testing.T) {
	type reached = struct {
		Name    string `json:"name"`
		Problem string `json:"problem"`
	}
	for _, tc := range []struct {
		reason string
		agent  member
		want   bool
	}{
		{"it is there, and reaches both", member{"There", []reached{{Name: "a"}, {Name: "b"}, {"c", "no context"}}}, true},
		{"it has not beaten yet", member{"Awaited", []reached{{Name: "a"}, {Name: "b"}}}, false},
		{"it cannot reach one", member{"There", []reached{{Name: "a"}, {"b", "refused"}}}, false},
		{"it does not know one", member{"There", []reached{{Name: "a"}}}, false},
	} {
		if got := tc.agent.reaches([]string{"a", "b"}); got != tc.want {
			t.Errorf("%s: reaches() = %v", tc.reason, got)
		}
	}
}
