package engine_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

func TestHealthIsKnownByEnforcingCasesAlone(t *testing.T) {
	stand := func(name string, state probing.State, mode probing.EnforcementMode, until, started time.Time) probing.Stand {
		return probing.Stand{
			Cluster: "c1", Case: name, State: state, Since: noon.Add(-time.Hour), Until: until, Enforcement: probing.Enforcement{Mode: mode},
			Last: &probing.Outcome{
				ID: name, Cluster: "c1", Case: name, Started: started, Ended: started,
				Result: probing.Result{Verdict: api.Passed, Message: "as it was"},
			},
		}
	}
	later, before := noon.Add(time.Hour), noon.Add(-time.Minute)
	passing := stand("etcd", probing.Passing, probing.Enforcing, later, before)
	unlooked := stand("etcd", probing.Passing, probing.Enforcing, later, before)
	unlooked.Last.Verdict = api.Error
	for _, c := range []struct {
		reason string
		stands []probing.Stand
		since  time.Time
		want   metav1.ConditionStatus
		why    string
		says   string
	}{
		{"all pass", []probing.Stand{passing}, time.Time{}, metav1.ConditionTrue, probing.CasesPass, "1 enforcing results"},
		{"one fails", []probing.Stand{passing, stand("life", probing.Failing, probing.Enforcing, later, before)}, time.Time{}, metav1.ConditionFalse,
			probing.CasesFail, "failing: life: as it was"},
		{"one has not been looked at for too long", []probing.Stand{stand("life", probing.Passing, probing.Enforcing, before, before)}, time.Time{},
			metav1.ConditionUnknown, probing.CasesUnknown, "not known: life"},
		{"an advisory one fails", []probing.Stand{passing, stand("life", probing.Failing, probing.Advisory, later, before)}, time.Time{},
			metav1.ConditionTrue, probing.CasesPass, "advisory and failing: life"},
		{"there are advisory ones alone", []probing.Stand{stand("life", probing.Passing, probing.Advisory, later, before)}, time.Time{},
			metav1.ConditionUnknown, probing.NoCases, "no enforcing case"},
		{"there is nothing to look at, and so nobody has", []probing.Stand{stand("life", probing.Paused, probing.Enforcing, later, before)},
			time.Time{}, metav1.ConditionUnknown, probing.NoCases, "nothing to look at: life"},
		{"one has nothing to look at, and another one passes", []probing.Stand{passing, stand("life", probing.Paused, probing.Enforcing, later,
			before)}, time.Time{}, metav1.ConditionTrue, probing.CasesPass, "1 enforcing results"},
		{"a pass from before the change", []probing.Stand{passing}, before.Add(time.Second), metav1.ConditionUnknown, probing.CasesUnknown, "nothing since"},
		{"a pass from after the change", []probing.Stand{passing}, before.Add(-time.Second), metav1.ConditionTrue, probing.CasesPass, ""},
		{"after the change nobody could look", []probing.Stand{unlooked}, before.Add(-time.Second), metav1.ConditionUnknown, probing.CasesUnknown,
			"nothing since"},
		{"nor before, and it passes still", []probing.Stand{unlooked}, time.Time{}, metav1.ConditionTrue, probing.CasesPass, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			if err := b.ledger.SaveSaid(t.Context(), []probing.Said{{Cluster: "c1", At: noon, Stands: c.stands}}, noon); err != nil {
				t.Fatal(err)
			}
			got, err := b.Health(t.Context(), "c1", c.since)
			if err != nil || len(got.Status.Conditions) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			is := got.Status.Conditions[0]
			if is.Status != c.want || is.Reason != c.why || !strings.Contains(is.Message, c.says) || is.Type != "Healthy" {
				t.Errorf("%+v, want %s: %s: %s", is, c.want, c.why, c.says)
			}
		})
	}
	_, err := newBench(t).Health(t.Context(), "c9", time.Time{})
	wants(t, err, fault.NotFound, "cannot find cluster c9")
}
