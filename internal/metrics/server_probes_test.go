package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/probing"
)

func TestWhatAServerShowsOfProbes(t *testing.T) {
	now, s := time.Unix(1_800_000_000, 0), metrics.NewServer()
	var broken error
	p := s.Probes(func() time.Time { return now }, func(context.Context) ([]ledger.ProbeCount, error) {
		return []ledger.ProbeCount{{Case: "etcd", State: probing.Passing, Count: 7}, {Case: "etcd", State: probing.Unknown, Count: 2}}, broken
	})
	ran := func(v api.Verdict, code string) probing.Outcome {
		return probing.Outcome{Case: "etcd", Ended: now.Add(-1500 * time.Millisecond), Result: probing.Result{Verdict: v, Code: code}}
	}
	missed := func(n int64) {
		p.Heard(probing.Said{Cluster: "c1", Stands: []probing.Stand{{Case: "etcd", Target: "a", Missed: n}, {Case: "etcd", Target: "b", Missed: n}}})
	}
	p.Heard(probing.Said{Cluster: "c1", Dropped: 5, Outcomes: []probing.Outcome{ran(api.Passed, ""), ran(api.Failed, "NoLeader")}})
	for _, n := range []int64{100, 103, 1, 2} {
		missed(n)
	}
	text := shown(t, metrics.Page(nil, s))
	for line, reason := range map[string]string{
		`sluice_server_probes{case="etcd",state="Passing"} 7`:            "seven pass",
		`sluice_server_probes{case="etcd",state="Unknown"} 2`:            "of two nothing is known",
		`sluice_server_probes{case="etcd",state="Failing"} 0`:            "what none is is 0",
		`sluice_server_probe_runs_total{case="etcd",verdict="Failed"} 1`: "one failed",
		`sluice_server_probe_runs_total{case="etcd",verdict="Error"} 0`:  "all verdicts begin at 0",
		`sluice_server_probe_codes_total{code="NoLeader"} 1`:             "by what it says",
		`sluice_server_probe_dropped_total 5`:                            "five were left out",
		`sluice_server_probe_missed_total{case="etcd"} 4`:                "what was missed before is not counted, nor twice, nor less",
		`sluice_server_probe_lateness_seconds_bucket{le="1"} 0`:          "it came later",
		`sluice_server_probe_lateness_seconds_bucket{le="2"} 2`:          "and no later",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s: there is no %s", reason, line)
		}
	}
	broken, now = errors.New("the ledger is away"), now.Add(time.Minute)
	if text := shown(t, metrics.Page(nil, s)); strings.Contains(text, "sluice_server_probes{") {
		t.Error("what cannot be read is shown")
	}
	many := probing.Said{Cluster: "c1"}
	for i := range 1000 {
		o := ran(api.Failed, fmt.Sprint("Code", i))
		o.Case = fmt.Sprint("case-", i)
		many.Outcomes = append(many.Outcomes, o)
	}
	p.Heard(many)
	if n := strings.Count(shown(t, metrics.Page(nil, s)), "sluice_server_probe_"); n > 201*5+201+101+50 {
		t.Errorf("%d series", n)
	}
}
