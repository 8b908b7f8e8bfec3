package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// TestAUnitThatEndsTakesItsJobsAway: whoever measured them may be dead. What has ended stays to be looked at, and what others run stays.
func TestAUnitThatEndsTakesItsJobsAway(t *testing.T) {
	for _, c := range []struct {
		reason  string
		asked   string // the namespace of the check's job
		outcome api.Phase
	}{
		{"aborted", "checks", api.PhaseAborted},
		{"taken back", "checks", api.PhaseRolledBack},
		{"a namespace that only the measurement knew", "$(params.namespace)", api.PhaseAborted},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")}, func(p *plan.Plan) {
				p.Stages[0].Rules.Checks = []pipelines.ResolvedCheck{{
					Name: "canary", At: []pipelines.Point{pipelines.AfterBatch}, Enforcement: pipelines.Enforcing,
					Steps: []pipelines.ResolvedStep{
						{Name: "canary/job", StepKinds: pipelines.StepKinds{Job: &pipelines.Job{Image: "canary:1", Namespace: c.asked}}},
						{Name: "canary/ask", StepKinds: pipelines.StepKinds{TCP: &pipelines.TCP{ProbeAim: pipelines.ProbeAim{
							From: pipelines.FromCluster, Pod: &pipelines.ProbePod{Namespace: c.asked},
						}}}},
					},
				}}
			})
			w.lock()
			w.pod("job", "running", w.ref.Run, corev1.PodRunning)
			w.pod("job", "pending", w.ref.Run, corev1.PodPending)
			w.pod("probe", "asking", w.ref.Run, corev1.PodRunning)
			w.pod("job", "ended", w.ref.Run, corev1.PodFailed)
			w.pod("job", "other", "agent-99", corev1.PodRunning)
			for range 2 { // a worker may be killed in between
				must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: c.outcome})
			}
			left := map[string]bool{}
			for _, p := range w.server.All("Pod") {
				left[p.GetAnnotations()["sluice.dev/key"]] = true
			}
			if len(left) != 2 || !left["ended"] || !left["other"] {
				t.Errorf("there are left %v", left)
			}
		})
	}
}

// TestARunThatEndsTakesAwayWhatItsTasksAndSoaksHaveLeft: no unit is there any more that would.
func TestARunThatEndsTakesAwayWhatItsTasksAndSoaksHaveLeft(t *testing.T) {
	canary := pipelines.ResolvedCheck{Name: "canary", Steps: []pipelines.ResolvedStep{
		{Name: "canary/job", StepKinds: pipelines.StepKinds{Job: &pipelines.Job{Image: "canary:1", Namespace: "checks"}}},
	}}
	for _, c := range []struct {
		reason string
		set    func(*plan.Plan)
		left   []string
	}{
		{"a soak's", func(p *plan.Plan) { p.Stages[0].Rules.Checks = []pipelines.ResolvedCheck{canary} }, []string{"ended", "other"}},
		{"a task's", func(p *plan.Plan) {
			p.Tasks = &plan.Tasks{First: []plan.Task{{Name: "canary", Cluster: "a", Check: canary}}}
		}, []string{"ended", "other"}},
		{"a last task's", func(p *plan.Plan) {
			p.Tasks = &plan.Tasks{Finally: []plan.Task{{Name: "canary", Cluster: "a", Check: canary}}}
		}, []string{"ended", "other"}},
		{"of a task elsewhere", func(p *plan.Plan) {
			p.Tasks = &plan.Tasks{First: []plan.Task{{Name: "canary", Cluster: "b", Check: canary}}}
		}, []string{"ended", "other", "running"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t)
			w.planned("1.0.0", []string{load("DaemonSet", "agent", "1.0.0")}, c.set)
			w.pod("job", "running", w.ref.Run, corev1.PodRunning)
			w.pod("job", "ended", w.ref.Run, corev1.PodFailed)
			w.pod("job", "other", "agent-99", corev1.PodRunning)
			said := must(w, w.acts.Tidy, step.TidyRequest{Run: w.ref.Run, Plan: w.ref.Plan, Clusters: []step.Place{
				{Cluster: "gone", Context: "gone"}, {Cluster: w.ref.Cluster, Context: w.ref.Context},
			}})
			if !strings.HasPrefix(said, "nothing that checks made runs in 1 cluster; not so in gone: ") {
				t.Errorf("it says %q", said)
			}
			var left []string
			for _, p := range w.server.All("Pod") {
				left = append(left, p.GetAnnotations()["sluice.dev/key"])
			}
			slices.Sort(left)
			if !slices.Equal(left, c.left) {
				t.Errorf("there are left %v, want %v", left, c.left)
			}
		})
	}
}

// pod puts a pod of a check there.
func (w *world) pod(purpose, key, run string, phase corev1.PodPhase) {
	w.Helper()
	p, err := pod.Make(pod.Spec{
		Purpose: purpose, Key: key, Namespace: "checks", Image: "canary:1", Profile: pod.Restricted, KeepFailed: time.Hour,
		About: map[string]string{pod.LabelRun: run},
	})
	if err != nil {
		w.Fatal(err)
	}
	p.Status.Phase = phase
	if phase == corev1.PodFailed {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
		}}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		w.Fatal(err)
	}
	w.server.Put(&unstructured.Unstructured{Object: content})
}
