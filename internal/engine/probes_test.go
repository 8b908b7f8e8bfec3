package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probing"
)

// noProgram is the program of a case that says nothing of one.
var noProgram = (&probing.ConfigSpec{}).Program()

// said is that runs of case etcd came to verdicts in a cluster, a minute apart, the last one now.
func (b *bench) said(cluster string, state probing.State, verdicts ...api.Verdict) {
	b.t.Helper()
	now := b.clock.Now().UTC()
	s := probing.Said{Cluster: cluster, At: now}
	for i, v := range verdicts {
		ended := now.Add(-time.Duration(len(verdicts)-1-i) * time.Minute)
		s.Outcomes = append(s.Outcomes, probing.Outcome{
			ID: fmt.Sprintf("etcd-%d", ended.Unix()), Case: "etcd", Started: ended.Add(-time.Second), Ended: ended, Program: noProgram,
			Cause: probing.Cause{Kind: probing.BySchedule}, Result: probing.Result{Verdict: v, Code: "NoLeader", Message: "there is no leader"},
		})
	}
	last := s.Outcomes[len(s.Outcomes)-1]
	s.Stands = []probing.Stand{{
		Case: "etcd", State: state, Since: now, Streak: 2, Until: now.Add(15 * time.Minute), Recent: "FP", Missed: 3, Last: &last, Program: noProgram,
		Enforcement: probing.Enforcement{Mode: probing.Enforcing, QuietRuns: 4, Environment: "production"},
	}}
	if err := b.ledger.SaveSaid(b.t.Context(), []probing.Said{s}, now); err != nil {
		b.t.Fatal(err)
	}
}

// P01: a prober that has ended leaves everything green, unless what it said stops to count.
func TestFailureMode_P01_AResultThatIsTooOldIsUnknown(t *testing.T) {
	b := newBench(t)
	if err := b.keeps(theFleet()...); err != nil {
		t.Fatal(err)
	}
	b.said("c1", probing.Passing, api.Passed)
	states := func() (all []string) {
		t.Helper()
		known, err := b.Probes(t.Context(), engine.ProbesQuery{Failing: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range known {
			all = append(all, fmt.Sprintf("%s %s was %s in %s", k.Cluster, k.State, k.Told, k.Environment))
		}
		return all
	}
	if got := states(); len(got) > 0 {
		t.Errorf("what is fresh is fine: %v", got)
	}
	b.clock.Step(15*time.Minute + time.Second)
	if got := states(); !slices.Equal(got, []string{"c1 Unknown was Passing in production"}) {
		t.Errorf("past its time it is known to be unknown: %v", got)
	}
	counts, err := b.CountProbes(t.Context())
	if want := (ledger.ProbeCount{Case: "etcd", State: probing.Unknown, Count: 1}); err != nil || len(counts) != 1 || counts[0] != want {
		t.Errorf("and is counted so, which alarms: %v (%v)", counts, err)
	}
	why, err := b.ExplainProbe(t.Context(), engine.ProbesQuery{Cluster: "c1", Case: "etcd"})
	if err != nil || !strings.HasPrefix(why.Targets[0].Because[0], "nothing was heard of it since") {
		t.Errorf("got %+v (%v)", why, err)
	}
	b.said("c1", probing.Passing, api.Passed)
	if got := states(); len(got) > 0 {
		t.Errorf("a fresh result counts again: %v", got)
	}
}

// P04: noise kills trust, so a case gets to hold changes by its record alone, and could not look is no fault found.
func TestFailureMode_P04_ARecordIsOfWhatWasFound(t *testing.T) {
	b := newBench(t)
	if err := b.keeps(append(theFleet(), fmt.Sprintf(aGroup, "staging", "staging"), fmt.Sprintf(aCluster, "s1", "staging", ""))...); err != nil {
		t.Fatal(err)
	}
	quiet := probing.Enforcement{Mode: probing.Enforcing, QuietRuns: 4, Environment: "staging"}
	share := probing.Enforcement{Mode: probing.Enforcing, FalsePositives: "50%"}
	want := func(e probing.Enforcement, reason string, missing ...string) {
		t.Helper()
		r, err := b.ProbeRecord(t.Context(), "etcd", noProgram, e)
		if err != nil || r.Holds != (len(missing) == 0) {
			t.Errorf("%s: %+v (%v)", reason, r, err)
			return
		}
		for i, m := range missing {
			if !strings.Contains(strings.Join(r.Missing, "\n"), m) {
				t.Errorf("%s: want %q: %q", reason, missing[i], r.Missing)
			}
		}
	}
	want(probing.Enforcement{}, "advisory needs nothing")
	want(probing.Enforcement{Mode: probing.Enforcing}, "enforcing needs something", "names neither")
	want(quiet, "there is none", "0 of 4 quiet runs of revision "+noProgram+" in environment staging (1 cluster)")
	b.said("c1", probing.Passing, api.Passed, api.Passed, api.Passed, api.Passed)
	want(quiet, "another environment says nothing", "0 of 4")
	b.said("s1", probing.Passing, api.Passed, api.Passed, api.Passed)
	want(quiet, "three are not four", "3 of 4")
	b.clock.Step(2 * time.Hour)
	b.said("s1", probing.Unknown, api.Error, api.Passed)
	want(quiet, "one that could not look found no fault, and proves nothing")
	b.clock.Step(2 * time.Hour)
	b.said("s1", probing.Failing, api.Failed)
	failed := fmt.Sprintf("etcd-%d", b.clock.Now().Unix())
	want(quiet, "a failure that nobody explained is noise", "0 of 4", "has not been found to be true")
	label := func(falsely bool) error {
		_, err := b.LabelProbe(t.Context(), engine.LabelRequest{
			Cluster: "s1", Run: failed, FalsePositive: falsely, By: "ann", Because: "looked at its disk",
		})
		return err
	}
	want(share, "nobody has labelled anything", "0 of 2 labelled failures")
	if err := label(false); err != nil {
		t.Fatal(err)
	}
	want(quiet, "one that was true is none")
	b.said("c1", probing.Failing, api.Failed, api.Failed)
	for i, falsely := range []bool{true, true} {
		at := b.clock.Now().Add(-time.Duration(i) * time.Minute).Unix()
		if _, err := b.LabelProbe(t.Context(), engine.LabelRequest{
			Cluster: "c1", Run: fmt.Sprintf("etcd-%d", at), FalsePositive: falsely, By: "ann", Because: "x",
		}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want(share, "half of two may be false")
		}
	}
	want(share, "two of three may not", "2 of 3 labelled failures were false, which is more than 50%")
	want(probing.Enforcement{Mode: probing.Enforcing, QuietRuns: 4, Environment: "staging", FalsePositives: "50%"}, "either is enough")
	entries, err := b.Audit(t.Context(), "probe etcd", 1)
	if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Outcome, "is a false positive") {
		t.Errorf("labels are in the audit: %v (%v)", entries, err)
	}
	r, err := b.ProbeRecord(t.Context(), "etcd", "swapped", share)
	if err != nil || r.Holds || !strings.Contains(r.Missing[0], "0 of 2 labelled failures of revision swapped") || len(r.Others) != 1 || r.Others[0].False != 2 {
		t.Errorf("another program has no failures of its own: %+v (%v)", r, err)
	}
	if _, err := b.ProbeRecord(t.Context(), "etcd", noProgram, probing.Enforcement{Mode: probing.Enforcing, FalsePositives: "few"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("no share: %v", err)
	}
}

func TestWhyAProbeIsAsItIs(t *testing.T) {
	b := newBench(t)
	if _, err := b.ExplainProbe(t.Context(), engine.ProbesQuery{Cluster: "c1", Case: "etcd"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("nothing is known: %v", err)
	}
	if _, err := b.ExplainProbe(t.Context(), engine.ProbesQuery{Case: "etcd"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("in no cluster: %v", err)
	}
	b.said("c1", probing.Failing, api.Failed, api.Passed)
	why, err := b.ExplainProbe(t.Context(), engine.ProbesQuery{Cluster: "c1", Case: "etcd"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(why.Targets[0].Because, "\n")
	for _, says := range []string{
		"its last 2 results say so, which counts until 2026-11-22T12:15:00Z", "came to Passed (NoLeader)", "too few say so", "3 of its runs were due",
	} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say %q:\n%s", says, text)
		}
	}
	if why.Record.Holds || len(why.Outcomes) != 2 || len(why.Hours) != 2 {
		t.Errorf("got %+v", why)
	}
}

// A case that has not proven that it judges well holds nobody up: the plan that would have it do so is refused.
func TestAPlanOfAnUnprovenProbeIsRefused(t *testing.T) {
	config := func(mode, image string) string {
		return `{"apiVersion":"sluice.dev/v1alpha1","kind":"ProbeConfig","metadata":{"name":"etcd","namespace":"probes"},"spec":{"enforcement":` +
			`{"mode":"` + mode + `","quietRuns":3,"environment":"staging"},"binding":"b","schedule":{"every":"1m"},"pod":{"image":"` + image + `"}}}`
	}
	three := func(b *bench) { b.said("s1", probing.Passing, api.Passed, api.Passed, api.Passed) }
	for name, c := range map[string]struct {
		reason  string
		mode    string
		image   string
		action  string
		before  func(*bench)
		refused string
	}{
		"advisory":       {reason: "it holds nobody", mode: "Advisory", action: "create"},
		"no record":      {reason: "nothing is known of it", mode: "Enforcing", action: "create", refused: "0 of 3 quiet runs of revision " + noProgram + " in environment staging"},
		"nothing is new": {reason: "it is as it was", mode: "Enforcing", action: "unchanged"},
		"a record":       {reason: "it has proven itself", mode: "Enforcing", action: "create", before: three},
		"a swapped program": {reason: "what has proven itself is something else", mode: "Enforcing", image: "registry.example/other:1", action: "create",
			before: three, refused: "; revision " + noProgram + " has 3, which are of something else"},
		"enforcing already": {reason: "whoever mends it need not prove it anew", mode: "Enforcing", action: "patch", before: func(b *bench) {
			b.said("c1", probing.Passing, api.Passed)
			b.said("c2", probing.Passing, api.Passed)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := b.keeps(append(theFleet(), fmt.Sprintf(aGroup, "staging", "staging"), fmt.Sprintf(aCluster, "s1", "staging", ""))...); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(b)
			}
			rendered, err := b.ledger.PutBlob(t.Context(), []byte(config(c.mode, c.image)))
			if err != nil {
				t.Fatal(err)
			}
			for _, cluster := range []string{"c1", "c2"} {
				b.clusters[cluster] = plan.ClusterDiff{
					Rendered: rendered, Diff: "d", Objects: []plan.Object{{Object: "ProbeConfig/probes/etcd", Action: c.action}},
				}
			}
			planned := b.plan()
			if again, err := b.LoadPlan(t.Context(), planned.Hash); err != nil || (again.Refused() == nil) != (planned.Refused() == nil) {
				t.Errorf("whoever starts it later hears something else: %v, %v", again.Refused(), err)
			}
			if err := planned.Refused(); c.refused == "" && err != nil || c.refused != "" && (fault.CodeOf(err) != fault.Refused ||
				!strings.Contains(err.Error(), "probe-record: ProbeConfig/probes/etcd: case etcd is to be Enforcing") ||
				!strings.Contains(err.Error(), c.refused)) {
				t.Errorf("%s: %v", c.reason, err)
			}
		})
	}
}

// P08: what somebody has taken away must not stay as it was said last. A cluster that talks and does not mention it has it no more; one that
// is silent is Unknown.
func TestFailureMode_P08_WhatNobodyMentionsGoes(t *testing.T) {
	b := newBench(t)
	b.said("c1", probing.Failing, api.Failed)
	b.said("c2", probing.Failing, api.Failed)
	b.clock.Step(2 * ledger.ProbeUnsaid)
	now := b.clock.Now().UTC()
	other := probing.Stand{Case: "dns", State: probing.Passing, Since: now, Until: now.Add(time.Hour)}
	if err := b.ledger.SaveSaid(t.Context(), []probing.Said{{Cluster: "c1", At: now, Stands: []probing.Stand{other}}}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.SweepProbes(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	all, err := b.Probes(t.Context(), engine.ProbesQuery{})
	var got []string
	for _, k := range all {
		got = append(got, k.Cluster+" "+k.Case+" "+string(k.State))
	}
	if want := []string{"c1 dns Passing", "c2 etcd Unknown"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, want %v (%v)", got, want, err)
	}
}

// Noise is counted of whole weeks, the last one first.
func TestProbesAreNoisyByTheWeek(t *testing.T) {
	b := newBench(t)
	b.said("c1", probing.Passing, api.Failed, api.Error, api.Passed)
	b.clock.Step(8 * 24 * time.Hour)
	b.said("c1", probing.Failing, api.Passed, api.Failed)
	got, err := b.ProbeNoise(t.Context(), "etcd", 2)
	if err != nil || len(got) != 2 || got[0].Runs != 2 || got[0].Failed != 1 || got[0].Turned != 1 || got[1].Runs != 3 || got[1].CouldNot != 1 ||
		!got[1].To.Equal(got[0].From) || !got[0].To.After(b.clock.Now()) {
		t.Errorf("%+v (%v)", got, err)
	}
	for _, weeks := range []int{0, 13} {
		_, err := b.ProbeNoise(t.Context(), "", weeks)
		wants(t, err, fault.Invalid, "it is from 1 to 12")
	}
}

// A list that is longer than one look at the ledger has all there is, or says that it cannot.
func TestAListOfProbesIsNeverCutInSilence(t *testing.T) {
	b := newBench(t)
	now := b.clock.Now().UTC()
	var all []probing.Said
	for i := range 3 {
		one := probing.Said{Cluster: fmt.Sprintf("c%d", i), At: now}
		for n := range 3_500 {
			one.Stands = append(one.Stands, probing.Stand{Case: "node-life", Target: fmt.Sprintf("n%04d", n), State: probing.Passing, Since: now})
		}
		all = append(all, one)
	}
	if err := b.ledger.SaveSaid(t.Context(), all, now); err != nil {
		t.Fatal(err)
	}
	got, err := b.Probes(t.Context(), engine.ProbesQuery{})
	if err != nil || len(got) != 10_500 || got[0].Cluster != "c0" || got[10_499].Target != "n3499" {
		t.Errorf("%d are listed, %v", len(got), err)
	}
	if got, err = b.Probes(t.Context(), engine.ProbesQuery{Limit: 7}); err != nil || len(got) != 7 {
		t.Errorf("%d are listed, %v", len(got), err)
	}
	_, err = engine.ProbesQuery{}.Listed(make([]engine.KnownProbe, engine.MaxProbes+1))
	wants(t, err, fault.Invalid, "more than 50000 states; narrow it")
}
