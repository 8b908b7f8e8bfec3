package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/probing"
)

// probes are metrics with a clock that stands at noon.
func probes() (*metrics.Probes, *testingclock.FakePassiveClock) {
	c := testingclock.NewFakePassiveClock(noon)
	return metrics.NewProbes(c), c
}

func outcome(name string, verdict api.Verdict, code string, long time.Duration) probing.Outcome {
	o := probing.Outcome{Case: name, Started: noon.Add(-long), Ended: noon}
	o.Verdict, o.Code = verdict, code
	return o
}

func stand(name, target string, state probing.State, streak int) probing.Stand {
	return probing.Stand{
		Case: name, Namespace: "sluice-probes", Target: target, State: state, Streak: streak, Severity: "P1", Until: noon.Add(10 * time.Minute),
	}
}

func TestProbesAreShown(t *testing.T) {
	p, clock := probes()
	changed := noon.Add(-3 * time.Second)
	byEvent := outcome("pod-life", api.Failed, "PodNotReady", 2*time.Second)
	byEvent.Cause = probing.Cause{Kind: probing.ByEvent, At: &changed}
	missing := stand("pod-life", "b", probing.Passing, 9)
	missing.Missed = 4
	p.Said(probing.Said{
		Cluster: "a", At: noon,
		Stands:   []probing.Stand{stand("pod-life", "a", probing.Failing, 3), missing, stand("dns", "", probing.Passing, 1)},
		Outcomes: []probing.Outcome{byEvent, outcome("dns", api.Passed, "", time.Second), outcome("dns", api.Error, "ImagePullBackOff", time.Second)},
	})
	clock.SetTime(noon.Add(time.Minute))
	wants(t, page(t, p),
		`sluice_probe_results_total{case="pod-life",cluster="a",verdict="Failed"} 1`,
		`sluice_probe_results_total{case="pod-life",cluster="a",verdict="Passed"} 0`,
		`sluice_probe_codes_total{code="PodNotReady",verdict="Failed"} 1`,
		`sluice_probe_codes_total{code="ImagePullBackOff",verdict="Error"} 1`,
		`sluice_probe_stands{case="pod-life",cluster="a",state="Failing"} 1`,
		`sluice_probe_stands{case="pod-life",cluster="a",state="Passing"} 1`,
		`sluice_probe_stands{case="pod-life",cluster="a",state="Unknown"} 0`,
		`sluice_probe_missed_total{case="pod-life",cluster="a"} 4`,
		fmt.Sprintf(`sluice_probe_said_timestamp_seconds{cluster="a"} %g`, float64(noon.Unix())),
		`sluice_probe_event_to_verdict_seconds_bucket{le="2"} 0`,
		`sluice_probe_event_to_verdict_seconds_bucket{le="5"} 1`,
		`kuberhealthy_running 1`,
		`kuberhealthy_cluster_state{cluster="a"} 0`,
		`kuberhealthy_check{check="pod-life",cluster="a",namespace="sluice-probes",severity="P1",status="0"} 0`,
		`kuberhealthy_check{check="dns",cluster="a",namespace="sluice-probes",severity="P1",status="1"} 1`,
		`kuberhealthy_check_duration_seconds{check="pod-life",cluster="a",namespace="sluice-probes"} 2`,
		`kuberhealthy_check_consecutive_failures{check="pod-life",cluster="a",namespace="sluice-probes"} 3`,
		`kuberhealthy_check_success_total{check="dns",cluster="a",namespace="sluice-probes"} 1`,
		`kuberhealthy_check_failure_total{check="dns",cluster="a",namespace="sluice-probes"} 0`,
		`kuberhealthy_check_seconds_since_success{check="dns",cluster="a",namespace="sluice-probes"} 60`,
		`kuberhealthy_check_seconds_since_success{check="pod-life",cluster="a",namespace="sluice-probes"} -1`,
		`kuberhealthy_check_run_duration_seconds_count 3`,
	)
}

// What nobody has looked at for too long is Unknown, though nobody says so any more, and is neither well nor failing.
func TestAProbeThatIsSilentIsUnknown(t *testing.T) {
	p, clock := probes()
	p.Said(probing.Said{Cluster: "a", At: noon, Stands: []probing.Stand{stand("dns", "", probing.Passing, 1)}})
	clock.SetTime(noon.Add(time.Hour))
	text := page(t, p)
	wants(t, text, `sluice_probe_stands{case="dns",cluster="a",state="Unknown"} 1`, `sluice_probe_stands{case="dns",cluster="a",state="Passing"} 0`)
	if strings.Contains(text, "\nkuberhealthy_check{") {
		t.Error("a check that is not known is shown")
	}
}

// A case that is gone is shown no more, nor is a target that is not among those that are said; what was counted stays.
func TestWhatIsGoneIsNotShown(t *testing.T) {
	p, _ := probes()
	missing := stand("dns", "", probing.Failing, 1)
	missing.Missed = 2
	p.Said(probing.Said{Cluster: "a", At: noon, Stands: []probing.Stand{missing, stand("life", "a", probing.Failing, 1), stand("life", "b", probing.Passing, 1)}})
	p.Said(probing.Said{Cluster: "a", At: noon.Add(6 * time.Minute), Stands: []probing.Stand{stand("life", "b", probing.Passing, 1)}, Gone: []string{"dns"}})
	text := page(t, p)
	wants(t, text,
		`sluice_probe_stands{case="life",cluster="a",state="Failing"} 0`, `sluice_probe_stands{case="life",cluster="a",state="Passing"} 1`,
		`sluice_probe_missed_total{case="dns",cluster="a"} 2`, `kuberhealthy_cluster_state{cluster="a"} 1`)
	if strings.Contains(text, `sluice_probe_stands{case="dns"`) {
		t.Error("a case that is gone has targets")
	}
	p.Said(probing.Said{Cluster: "a", At: noon.Add(7 * time.Minute), Gone: []string{"life"}})
	if text = page(t, p); strings.Contains(text, "\nsluice_probe_said_timestamp_seconds{") {
		t.Error("a cluster without cases is to be heard of")
	}
}

// However many cases, codes, targets and clusters there are, and whatever programs say: the page has a bound, and its counters only grow.
func TestFailureMode_P11(t *testing.T) {
	p, _ := probes()
	say := func(from, to int) {
		s := probing.Said{At: noon}
		for i := from; i < to; i++ {
			s.Cluster = fmt.Sprint("cluster", i%2000)
			st := stand(fmt.Sprint("case", i), fmt.Sprint("target", i), probing.Failing, 1)
			st.Severity = fmt.Sprint("P", i)
			o := outcome(fmt.Sprint("case", i), api.Failed, fmt.Sprint("code", i), time.Second)
			o.Message, o.Target, o.Severity = fmt.Sprint("message", i), fmt.Sprint("target", i), fmt.Sprint("P", i)
			s.Stands, s.Outcomes = []probing.Stand{st}, []probing.Outcome{o}
			p.Said(s)
		}
	}
	say(0, 10_000)
	before := len(series(page(t, p)))
	say(10_000, 20_000)
	text := page(t, p)
	if after := len(series(text)); after != before {
		t.Errorf("10,000 cases have %d series, and 20,000 have %d", before, after)
	}
	if before > 40_000 {
		t.Errorf("the page has %d series", before)
	}
	wants(t, text, `sluice_probe_codes_total{code="other",verdict="Failed"} 19900`)
	if strings.Contains(text, "message") || strings.Contains(text, "target1") || strings.Contains(text, `severity="P7"`) {
		t.Error("the page has what has no bound")
	}
}

func TestEveryFamilyOfAnAgentIsOnItsPage(t *testing.T) {
	p, _ := probes()
	p.Said(probing.Said{
		Cluster: "a", At: noon, Stands: []probing.Stand{stand("dns", "", probing.Passing, 1)}, Outcomes: []probing.Outcome{outcome("dns", api.Passed, "Well", 0)},
	})
	text, n := page(t, p), 0
	for _, f := range metrics.Families() {
		if f.Of() != "agent" {
			continue
		}
		n++
		if !strings.Contains(text, "# HELP "+f.Name+" "+f.Help+"\n# TYPE "+f.Name+" "+f.Kind()+"\n") {
			t.Errorf("an agent does not show %s as it is declared", f.Name)
		}
	}
	if n < 10 {
		t.Errorf("an agent has only %d families", n)
	}
}
