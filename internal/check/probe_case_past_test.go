package check

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// TestWhatIsKnownFromBefore: what was broken before is not blamed on a change, and what a change broke is, with pods or without.
func TestWhatIsKnownFromBefore(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	ran := func(minute int, v api.Verdict, key string) *probing.Run {
		r := &probing.Run{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "sluice-probes", Name: "at-" + at(minute).Format("1504"), UID: types.UID(at(minute).String()),
				CreationTimestamp: metav1.NewTime(at(minute)),
			},
			Spec: probing.RunSpec{Case: "life", Cause: probing.Cause{Kind: probing.BySchedule, Key: key}},
			Status: probing.RunStatus{
				Phase: probing.RunDone, Started: new(metav1.NewTime(at(minute).Add(time.Second))),
				Ended: new(metav1.NewTime(at(minute).Add(10 * time.Second))), Result: verdict(v),
			},
		}
		if key != "" {
			r.Spec.Cause.Kind = probing.ByGate
		}
		return r
	}
	const own = "web-2/prod/eu-1/exec-1/40/afterCluster/probes/cases/1"
	before, first := "web-2/prod/eu-1/exec-1/5/beforeCluster/probes/cases/0", "web-2/prod/eu-1/exec-1/40/afterCluster/probes/cases/0"
	failing := func(since time.Time) []probing.TargetStatus {
		return []probing.TargetStatus{{State: probing.Failing, Since: metav1.NewTime(since)}}
	}
	for _, c := range []struct {
		reason string
		pods   int // the minute in which the first pod was made that is there now; 0 is none
		stand  []probing.TargetStatus
		made   []*probing.Run // the latest first
		says   string
	}{
		{"nothing is known", 0, nil, nil, ""},
		{"no pod says when the change began, nor does a check", 0, failing(at(20)), nil, "it fails since 2026-11-30T12:20:00Z"},
		{"it passed when this unit began, and fails since", 0, failing(at(20)),
			[]*probing.Run{ran(20, api.Failed, ""), ran(10, api.Passed, before)}, ""},
		{"it failed when this unit began", 0, failing(at(10)), []*probing.Run{ran(10, api.Failed, before)}, "it fails since"},
		{"it failed when this unit began, as its runs say", 0, nil, []*probing.Run{ran(10, api.Failed, before)}, "it failed in at-1210"},
		{"it failed before this unit began, passed once, and is still thought to fail", 0, failing(at(5)),
			[]*probing.Run{ran(10, api.Passed, before), ran(5, api.Failed, "")}, "it fails since"},
		{"it passed for another run", 0, failing(at(20)),
			[]*probing.Run{ran(20, api.Failed, ""), ran(10, api.Passed, strings.Replace(before, "web-2", "web-1", 1))}, "it fails since"},
		{"it passed before this unit was tried once more", 0, failing(at(20)),
			[]*probing.Run{ran(20, api.Failed, ""), ran(10, api.Passed, strings.Replace(before, "exec-1", "exec-0", 1))}, "it fails since"},
		{"the measurement before this one found it", 0, failing(at(30).Add(10 * time.Second)), []*probing.Run{ran(30, api.Failed, first)}, ""},
		{"what this measurement itself found", 0, nil, []*probing.Run{ran(30, api.Failed, own)}, ""},
		{"it fails since before the pods", 20, failing(at(15)), nil, "it fails since"},
		{"it fails since after the pods", 20, failing(at(25)), nil, ""},
		{"the first pods are gone, and it passed when this unit began", 30, failing(at(25)),
			[]*probing.Run{ran(25, api.Failed, ""), ran(10, api.Passed, before)}, ""},
		{"the last look before the pods counts", 30, nil, []*probing.Run{ran(25, api.Passed, ""), ran(20, api.Failed, "")}, ""},
		{"what could not look hides no failure", 30, nil, []*probing.Run{ran(25, api.Error, ""), ran(20, api.Failed, "")}, "it failed in at-1220"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			l := &caseLook{question: Question{Point: pipelines.AfterCluster, Key: own}, made: c.made}
			if c.pods > 0 {
				l.pods.New = []*corev1.Pod{nodePod("n1", at(c.pods))}
			}
			config := aCase("life")
			config.Status.Targets = c.stand
			if got := l.failedBefore(config, ""); (got == "") != (c.says == "") || !strings.HasPrefix(got, c.says) {
				t.Errorf("got %q, want %q", got, c.says)
			}
		})
	}
}
