package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// probed has a ledger know what probes found: etcd passes in c1 and fails in c2, on one of two nodes.
func (s *session) probed() {
	s.t.Helper()
	now := s.now.UTC()
	stand := func(probeCase, target string, state probing.State, v api.Verdict, says string) probing.Stand {
		return probing.Stand{
			Case: probeCase, Target: target, State: state, Since: now.Add(-time.Hour), Streak: 2, Until: now.Add(time.Minute), Probe: "etcd",
			Version: "1.0.0", Program: "3f2a9c01d2e4", Binding: "everywhere", Severity: "P1", Owner: "team-node", Missed: 1,
			Schedule: probing.Schedule{Every: metav1.Duration{Duration: 5 * time.Minute}}, Events: []probing.EventSpec{{On: probing.NodeNew}},
			Last: &probing.Outcome{
				ID: probeCase + "-" + target, Case: probeCase, Target: target, Node: "n1", Started: now.Add(-2 * time.Second), Ended: now,
				Cause:  probing.Cause{Kind: probing.ByEvent, Text: "node n1 is new"},
				Result: probing.Result{Verdict: v, Message: says, By: "exit", Errors: []string{"no\nleader"}, Observations: map[string]json.RawMessage{"ms": json.RawMessage("7")}},
			},
		}
	}
	one := probing.Said{Cluster: "c1", At: now, Stands: []probing.Stand{stand("etcd", "", probing.Passing, api.Passed, "")}}
	two := probing.Said{Cluster: "c2", At: now, Stands: []probing.Stand{
		stand("etcd", "", probing.Passing, api.Passed, ""), stand("node-life", "n1", probing.Failing, api.Failed, "a pod \x1b[31mdid not start"),
		stand("node-life", "n2", probing.Passing, api.Passed, ""),
	}}
	for i := range two.Stands {
		two.Outcomes = append(two.Outcomes, *two.Stands[i].Last)
	}
	l := s.server.open()
	defer l.Close()
	if err := l.SaveSaid(s.t.Context(), []probing.Said{one, two}, now); err != nil {
		s.t.Fatal(err)
	}
}

func TestWhatProbesKnow(t *testing.T) {
	s := newSession(t)
	s.probed()
	then, now := s.now.Add(-time.Hour).Local().Format("2006-01-02 15:04:05"), s.now.Local().Format("2006-01-02 15:04:05")
	for line, want := range map[string]string{
		"get probes --failing": `CLUSTER  CASE       TARGET  STATE    SINCE                LAST                 SEVERITY  ENFORCED  SAYS
c2       node-life  n1      Failing  ` + then + `  ` + now + `  P1        no        a pod \u001b[31mdid not start
`,
		"get probes --matrix": `CLUSTER  ETCD     NODE-LIFE
c1       Passing  -
c2       Passing  Failing 1/2
`,
		"get probebindings": `BINDING     CASES            CLUSTERS  SCHEDULE  EVENTS   ENFORCED  MISSED
everywhere  etcd, node-life  2         every 5m  NodeNew  no        3
`,
		"probe noise node-life": `CASE       WEEK        RUNS  MISSED  FAILED      FALSE  TRUE  COULD-NOT  TURNED  EVENTS  P50  P99
node-life  ` + s.now.UTC().Truncate(time.Hour).Add(-7*24*time.Hour+time.Hour).Local().Format(time.DateOnly) +
			`  2     0       1 (50.00%)  0      0     0          0       0       -    -
`,
		"probe history node-life --cluster c2 --target n1": `RUN           CLUSTER  TARGET  ENDED                TOOK  VERDICT  CODE  CAUSE                  LABEL  SAYS
node-life-n1  c2       n1      ` + now + `  2s    Failed   -     Event: node n1 is new  -      a pod \u001b[31mdid not start
`,
		"probe logs node-life --cluster c2 --failing": `run node-life-n1 in c2 came to Failed at ` + now + `, by its exit
a pod \u001b[31mdid not start
error: no leader
observed ms = 7
what its pod on node n1 wrote besides is in the cluster, for as long as the pod is kept
`,
		"probe explain node-life --cluster c2 --target n1": `node-life in c2 at n1 is Failing since ` + then + `
  its last 2 results say so, which counts until ` + s.now.Add(time.Minute).UTC().Format(time.RFC3339) + `
  run node-life-n1 came to Failed at ` + s.now.UTC().Format(time.RFC3339) + `: a pod \u001b[31mdid not start
  1 of its runs were due and did not begin
it is a case of probe etcd (1.0.0, revision 3f2a9c01d2e4), bound by everywhere, and runs every 5m; team-node owns it
it is advisory: a failure is told, and holds nothing
within a day its runs came to 1 Failed, 1 Passed; the longest took 2s
`,
	} {
		out, said, code := s.types(line)
		if diff := cmp.Diff(want, out); diff != "" || code != 0 {
			t.Errorf("%s: %d %s\n%s", line, code, said, diff)
		}
	}
	out, said, code := s.runs([]string{
		"probe", "label", "node-life-n1", "--false-positive", "--because", "the image is not there", "--ledger", s.server.ledger,
	})
	if code != 0 || !strings.HasPrefix(out, "the failure of node-life-n1 in c2 is labelled: false, by ") {
		t.Errorf("%d %s %s", code, out, said)
	}
	if out, _, _ := s.types("get audit -o json"); !strings.Contains(out, "the image is not there") {
		t.Errorf("nobody can read who labelled it, and why: %s", out)
	}
	for line, says := range map[string]string{
		"get probes --limit 3": "there are more than these 3",
		"get probes --limit 4": "",
	} {
		if out, said, code := s.types(line); code != 0 || !strings.Contains(said, says) || (says == "") != (said == "") {
			t.Errorf("%s: %d %q %s", line, code, said, out)
		}
	}
	for line, says := range map[string]string{
		"get probes --limit 0":                        "--limit 0 is not from 1 to 49999",
		"probe noise --weeks 13":                      "--weeks 13 is not from 1 to 12",
		"probe label node-life-n1 --true":             "--because is missing",
		"probe label node-life-n1 --because x":        "say one of --true and --false-positive",
		"probe label node-life-n2 --true --because x": "it has not failed",
		"probe explain etcd":                          "--cluster is missing",
		"probe explain dns --cluster c1":              "nothing is known of case dns in cluster c1",
		"probe logs dns --cluster c1":                 "no run of case dns in cluster c1 is kept",
	} {
		if _, said, code := s.types(line); code == 0 || !strings.Contains(said, says) {
			t.Errorf("%s: %d %q", line, code, fmt.Sprintf("%.200s", said))
		}
	}
}
