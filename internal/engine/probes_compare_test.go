package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// observes has a case have observed something in a cluster.
func (b *bench) observes(cluster, observations string, until time.Duration) {
	b.t.Helper()
	now := b.clock.Now().UTC()
	o := probing.Outcome{ID: "zones-" + cluster, Case: "zones", Ended: now, Result: probing.Result{Verdict: api.Passed}}
	if err := json.Unmarshal([]byte(observations), &o.Observations); err != nil {
		b.t.Fatal(err)
	}
	if err := b.ledger.SaveSaid(b.t.Context(), []probing.Said{{Cluster: cluster, At: now, Stands: []probing.Stand{
		{Case: "zones", State: probing.Passing, Since: now, Until: now.Add(until), Last: &o},
	}}}, now); err != nil {
		b.t.Fatal(err)
	}
}

func TestClustersAreHeldAgainstEachOther(t *testing.T) {
	b := newBench(t)
	if _, err := b.CompareProbes(t.Context(), engine.CompareRequest{Case: "zones"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("nothing was observed: %v", err)
	}
	for i := range 3 {
		b.observes(fmt.Sprint("c", i), `{"zone": "UTC", "audit": true, "days": 80}`, time.Hour)
	}
	b.observes("d0", `{"zone": "CET", "audit": true, "days": 81}`, time.Hour)
	b.observes("d1", `{"zone": "UTC", "days": 9}`, time.Hour)
	b.observes("e0", `{"zone": "PST"}`, time.Minute)
	b.clock.Step(2 * time.Minute)
	for name, c := range map[string]struct{ reason, rule, want string }{
		"no rule":             {"texts and bools are as most have them", "", `d0: zone is "CET", and "UTC" with most|d1: audit was not observed`},
		"a bound":             {"of what one observed", "observed.days > 14.0", "d1: days is 9"},
		"what most have":      {"beside what one observed", "observed.zone == usual.zone", `d0: zone is "CET"`},
		"the middle":          {"numbers are seldom equal", "observed.days > median.days / 2.0", "d1: days is 9"},
		"where it is":         {"not everywhere is alike", "cluster.startsWith('d') || observed.zone == 'UTC'", ""},
		"what was not looked": {"what cannot be told does not fit", "observed.audit == true", "d1: it cannot be told: no such key: audit"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := b.CompareProbes(t.Context(), engine.CompareRequest{Case: "zones", Rule: c.rule})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range out.Outliers {
				got = append(got, o.Cluster+": "+strings.Join(o.Because, "; "))
			}
			if text := strings.Join(got, "|"); text != c.want || out.Targets != 5 || len(out.Silent) != 1 || out.Silent[0] != "e0" {
				t.Errorf("%s: %q of %d, silent %v", c.reason, text, out.Targets, out.Silent)
			}
		})
	}
	for reason, rule := range map[string]string{
		"it is no condition": "observed.days", "there is no such thing": "seen.days > 1.0", "it is not CEL": "observed.days >",
	} {
		if _, err := b.CompareProbes(t.Context(), engine.CompareRequest{Case: "zones", Rule: rule}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
