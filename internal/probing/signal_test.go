package probing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

var (
	dawn  = time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	times = probing.SignalTimes{Lasts: 5 * time.Minute, Renewed: 100 * time.Second}
)

// known is a stand of an enforcing case whose last result passed, and counts for a quarter of an hour.
func known(probeCase, target string, state probing.State, change ...func(*probing.Stand)) probing.Stand {
	st := probing.Stand{
		Case: probeCase, Target: target, State: state, Since: dawn.Add(-time.Hour), Until: dawn.Add(15 * time.Minute), Severity: "P1", Owner: "team",
		Enforcement: probing.Enforcement{Mode: probing.Enforcing},
		Last:        &probing.Outcome{Started: dawn.Add(-time.Minute), Result: probing.Result{Verdict: api.Passed, Message: "it is as it is"}},
	}
	for _, c := range change {
		c(&st)
	}
	return st
}

func advisory(st *probing.Stand) { st.Enforcement = probing.Enforcement{} }

func TestASignalIsMadeOfEnforcingCases(t *testing.T) {
	stale := func(st *probing.Stand) { st.Until = dawn.Add(-time.Second) }
	for reason, c := range map[string]struct {
		stands  []probing.Stand
		status  metav1.ConditionStatus
		because string
		message string
	}{
		"no case":        {nil, "Unknown", "NoCases", "no enforcing case looks at the cluster"},
		"advisory alone": {[]probing.Stand{known("etcd", "", probing.Failing, advisory)}, "Unknown", "NoCases", "no enforcing case"},
		"all pass": {
			[]probing.Stand{known("etcd", "m1", probing.Passing), known("etcd", "m2", probing.Paused), known("dns", "", probing.Failing, advisory)},
			"True", "CasesPass", "1 enforcing cases pass",
		},
		"one fails at a target": {
			[]probing.Stand{known("etcd", "m1", probing.Passing), known("etcd", "m2", probing.Failing), known("dns", "", probing.Unknown)},
			"False", "CasesFail", "failing: etcd at m2: it is as it is",
		},
		"one is not known": {
			[]probing.Stand{known("etcd", "", probing.Passing), known("dns", "", probing.Unknown)}, "Unknown", "CasesUnknown",
			"not known: dns it is as it is",
		},
		"a pass that is too old":    {[]probing.Stand{known("etcd", "", probing.Passing, stale)}, "Unknown", "CasesUnknown", "not known: etcd"},
		"a failure that is too old": {[]probing.Stand{known("etcd", "", probing.Failing, stale)}, "Unknown", "CasesUnknown", "not known: etcd"},
		"nothing to look at":        {[]probing.Stand{known("etcd", "", probing.Paused)}, "Unknown", "NoCases", "enforcing cases have nothing to look at: etcd"},
	} {
		s := probing.NewSignalStatus(c.stands, dawn, times)
		got := s.Conditions[0]
		if got.Type != "Healthy" || got.Status != c.status || got.Reason != c.because || !strings.HasPrefix(got.Message, c.message) {
			t.Errorf("%s: it says %+v", reason, got)
		}
		if (s.LookedSince != nil) != (c.status == "True") {
			t.Errorf("%s: it was looked at since %v", reason, s.LookedSince)
		}
	}
}

func TestACaseIsACondition(t *testing.T) {
	s := probing.NewSignalStatus([]probing.Stand{
		known("a", "", probing.Passing), known("b", "n2", probing.Failing), known("b", "n1", probing.Failing), known("c", "", probing.Passing, advisory),
		known("d", "", probing.Unknown, advisory, func(st *probing.Stand) { st.Owner = "" }),
	}, dawn, times)
	var got []string
	for _, c := range s.Conditions[1:] {
		got = append(got, fmt.Sprintf("%s %s %s %v %s %q", c.Type, c.Status, c.Reason, c.Enforcing, c.Owner, c.Message))
	}
	want := []string{
		`case.sluice.dev/b False Failing true team "at n1, n2: it is as it is"`, `case.sluice.dev/d Unknown Unknown false  "it is as it is"`,
		`case.sluice.dev/a True Passing true team ""`, `case.sluice.dev/c True Passing false team ""`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it has\n%s", strings.Join(got, "\n"))
	}
	var many []probing.Stand
	for i := range 120 {
		many = append(many, known(fmt.Sprintf("case-%03d", i), "", probing.Passing))
	}
	many[119].State = probing.Failing
	if s := probing.NewSignalStatus(many, dawn, times); len(s.Conditions) != 101 || s.More != 20 || s.Conditions[1].Type != "case.sluice.dev/case-119" {
		t.Errorf("of 120 cases it has %d conditions and %d more, first %s", len(s.Conditions), s.More, s.Conditions[1].Type)
	}
}

func TestUntilWhenASignalCounts(t *testing.T) {
	until := func(d time.Duration) func(*probing.Stand) { return func(st *probing.Stand) { st.Until = dawn.Add(d) } }
	for reason, c := range map[string]struct {
		stand probing.Stand
		want  time.Duration
	}{
		"no longer than it lasts":         {known("etcd", "", probing.Passing), 5 * time.Minute},
		"nor than its results":            {known("etcd", "", probing.Passing, until(4*time.Minute)), 4 * time.Minute},
		"but until it is written again":   {known("etcd", "", probing.Passing, until(time.Second)), 125 * time.Second},
		"a result that counts for ever":   {known("etcd", "", probing.Passing, func(st *probing.Stand) { st.Until = time.Time{} }), 5 * time.Minute},
		"that it is not known lasts, too": {known("etcd", "", probing.Unknown, until(-time.Minute)), 5 * time.Minute},
	} {
		s := probing.NewSignalStatus([]probing.Stand{c.stand}, dawn, times)
		for _, c2 := range s.Conditions {
			if got := c2.Until.Sub(dawn); got != c.want {
				t.Errorf("%s: %s counts for %v", reason, c2.Type, got)
			}
		}
	}
}

func TestSinceWhenItWasLooked(t *testing.T) {
	older := func(st *probing.Stand) { st.Last.Started = dawn.Add(-time.Hour) }
	for reason, c := range map[string]struct {
		stands []probing.Stand
		want   time.Duration
	}{
		"the oldest counts":      {[]probing.Stand{known("a", "", probing.Passing, older), known("b", "", probing.Passing)}, -time.Hour},
		"of enforcing ones":      {[]probing.Stand{known("a", "", probing.Passing, older, advisory), known("b", "", probing.Passing)}, -time.Minute},
		"of those that look":     {[]probing.Stand{known("a", "", probing.Paused, older), known("b", "", probing.Passing)}, -time.Minute},
		"one could not look now": {[]probing.Stand{known("a", "", probing.Passing, func(st *probing.Stand) { st.Last.Verdict = api.Error })}, 0},
		"nobody knows when":      {[]probing.Stand{known("a", "", probing.Passing, func(st *probing.Stand) { st.Last.Started = time.Time{} })}, 0},
	} {
		s := probing.NewSignalStatus(c.stands, dawn, times)
		if got := s.LookedSince; got == nil && c.want != 0 || got != nil && got.Sub(dawn) != c.want {
			t.Errorf("%s: it was looked at since %v", reason, got)
		}
	}
}

func TestWhatSaysTheSame(t *testing.T) {
	was := probing.NewSignalStatus([]probing.Stand{known("a", "n1", probing.Failing)}, dawn, times)
	for reason, c := range map[string]struct {
		stand probing.Stand
		same  bool
	}{
		"a message and times": {known("a", "n1", probing.Failing, func(st *probing.Stand) {
			st.Last.Message, st.Since, st.Until = "it took 31.2s", dawn, dawn.Add(4*time.Minute)
		}), true},
		"another state":     {known("a", "n1", probing.Passing), false},
		"it holds nothing":  {known("a", "n1", probing.Failing, advisory), false},
		"another severity":  {known("a", "n1", probing.Failing, func(st *probing.Stand) { st.Severity = "P0" }), false},
		"it is another one": {known("b", "n1", probing.Failing), false},
	} {
		if got := probing.NewSignalStatus([]probing.Stand{c.stand}, dawn, times).SaysAs(was); got != c.same {
			t.Errorf("%s: the same is %v", reason, got)
		}
	}
}
