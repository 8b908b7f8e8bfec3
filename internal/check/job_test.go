package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func asIs(text string) string { return text }

// jobAsked is a question about a job in a cluster.
func jobAsked(c *kube.Cluster, key string, job pipelines.Job) Question {
	return Question{
		Step:  pipelines.ResolvedStep{Name: "canary/run", StepKinds: pipelines.StepKinds{Job: &job}},
		Point: pipelines.AfterBatch, Key: key, Params: rule.Params{"minSuccess": 0.99, "window": 90 * time.Second, "text": "$(PATH) $$"},
		Facts: rule.Facts{
			Change: rule.Change{Run: "agent-2", Component: "agent", Version: "2.0.0"}, Unit: rule.Unit{Path: "prod/eu-1/all/1", Cluster: "eu-1"},
			Batch: rule.Batch{Number: 1}, Workload: rule.Workload{Namespace: "apps"},
		},
		Place: &Place{Cluster: "eu-1", API: c},
	}
}

func ends(code int64, said string) func(*unstructured.Unstructured) map[string]any {
	phase := "Succeeded"
	if code != 0 {
		phase = "Failed"
	}
	return becomes(phase, "terminated", map[string]any{
		"exitCode": code, "message": said, "startedAt": "2026-11-28T12:00:00Z", "finishedAt": "2026-11-28T12:00:03Z",
	})
}

func becomes(phase, kind string, fields map[string]any) func(*unstructured.Unstructured) map[string]any {
	return func(*unstructured.Unstructured) map[string]any {
		return map[string]any{"phase": phase, "containerStatuses": []any{map[string]any{"name": "main", "state": map[string]any{kind: fields}}}}
	}
}

// TestFailureMode_R07: a job that never ran, or did not come to an end of its own, is no pass.
func TestFailureMode_R07(t *testing.T) {
	waits := func(reason string) func(*unstructured.Unstructured) map[string]any {
		return becomes("Pending", "waiting", map[string]any{"reason": reason, "message": "of " + reason})
	}
	killed := func(reason string) func(*unstructured.Unstructured) map[string]any {
		return becomes("Failed", "terminated", map[string]any{"exitCode": int64(137), "reason": reason})
	}
	for _, c := range []struct {
		reason string
		status func(*unstructured.Unstructured) map[string]any
		want   api.Verdict
		says   string
	}{
		{"it succeeds", ends(0, "fine"), api.Passed, "fine"},
		{"it fails", ends(1, "3 of 12"), api.Failed, "exit status 1: 3 of 12"},
		{"it cannot tell", ends(75, ""), api.Inconclusive, "exit status 75"},
		{"its image cannot be pulled", waits("ImagePullBackOff"), api.Error, "its pod could not run to its end: ImagePullBackOff: of ImagePullBackOff"},
		{"its image has no name that can be one", waits("InvalidImageName"), api.Error, "InvalidImageName"},
		{"a secret is missing", waits("CreateContainerConfigError"), api.Error, "CreateContainerConfigError"},
		{"it is no program", becomes("Failed", "terminated", map[string]any{"exitCode": int64(128), "reason": "StartError"}), api.Error, "StartError"},
		{"it needs more memory than it may have", killed("OOMKilled"), api.Error, "its pod used more memory than its limit allows (OOMKilled)"},
		{"its node is lost", killed("ContainerStatusUnknown"), api.Error, "ContainerStatusUnknown"},
		{"it is evicted", func(*unstructured.Unstructured) map[string]any {
			return map[string]any{"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}
		}, api.Error, "its pod could not run to its end: Evicted: the node was low on memory"},
		{"it takes too long", func(*unstructured.Unstructured) map[string]any {
			return map[string]any{"phase": "Failed", "reason": "DeadlineExceeded"}
		}, api.Error, "its pod took longer than it may (DeadlineExceeded)"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := kubetest.New(t)
			s.Kubelet = c.status
			f := NewJobs(clock.RealClock{}, asIs).Ask(t.Context(), jobAsked(s.Cluster(), "k", pipelines.Job{Image: "registry.example/canary:1"}))
			if f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
				t.Errorf("%s: %s; want %s: %s", f.Verdict, f.Message, c.want, c.says)
			}
			if f.Seen["pod"] != "sluice-system/"+pod.Name("job", "k") {
				t.Errorf("it was seen as %v", f.Seen)
			}
		})
	}
	f := NewJobs(clock.RealClock{}, asIs).Ask(t.Context(), Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Job: &pipelines.Job{}}}})
	if f.Verdict != api.Error {
		t.Errorf("without a cluster it is %s: %s", f.Verdict, f.Message)
	}
}

// TestFailureMode_R10: pods are not made in an endless loop. Whoever asks again for the same measurement, after a crash or at the
// same time, has the same pod, and a step makes no more of them than it has tries.
func TestFailureMode_R10(t *testing.T) {
	s := kubetest.New(t)
	made := func() (names []string) {
		for _, w := range s.Writes() {
			if name, ok := strings.CutPrefix(w.String(), "create Pod/"); ok {
				names = append(names, name)
			}
		}
		return names
	}
	jobs := NewJobs(clock.RealClock{}, asIs)
	ask := func(ctx context.Context, limit int) ([]api.Check, error) {
		job := &pipelines.Job{Image: "registry.example/none:1"}
		step := pipelines.ResolvedStep{
			Name: "canary/run", StepKinds: pipelines.StepKinds{Job: job},
			Repeat: pipelines.Repeat{ConsecutiveErrorLimit: &limit, Interval: new(pipelines.Duration(time.Millisecond))},
		}
		m := NewMeasurer(clock.RealClock{}, NewRules(), Sources{"job": jobs})
		return m.Ask(ctx, Inquiry{
			Point: pipelines.AfterBatch, Key: "run/unit", Place: &Place{Cluster: "eu-1", API: s.Cluster()},
			Checks: []pipelines.ResolvedCheck{{Name: "canary", Steps: []pipelines.ResolvedStep{step}}},
		})
	}

	// Killed while its pod runs, as often as you like.
	s.Kubelet = becomes("Running", "running", map[string]any{})
	for range 3 {
		ctx, kill := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := ask(ctx, 0); ended <- err }()
		for end := time.Now().Add(20 * time.Second); len(s.All("Pod")) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no pod is made")
			}
		}
		kill()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("what was cut short is %v", err)
		}
	}
	// Whoever asks next hears how that pod ended.
	s.Kubelet = ends(0, "")
	over := s.All("Pod")[0]
	over.Object["status"] = s.Kubelet(over)
	s.Put(over)
	if found, err := ask(t.Context(), 0); err != nil || found[0].Verdict != api.Passed {
		t.Errorf("who asks again hears %+v, %v", found, err)
	}
	if names := made(); len(names) != 1 {
		t.Errorf("made were %v", names)
	}

	// An image that never comes.
	s.Delete(s.All("Pod")...)
	s.Kubelet = becomes("Pending", "waiting", map[string]any{"reason": "ImagePullBackOff"})
	found, err := ask(t.Context(), 3)
	if err != nil || found[0].Verdict != api.Error || !strings.HasPrefix(found[0].Message, "4 tries in a row did not work: ") {
		t.Errorf("%+v, %v", found, err)
	}
	if names := made(); len(names) != 4 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 4 {
		t.Errorf("four tries have made %v", names)
	}
	if left := s.All("Pod"); len(left) != 0 {
		t.Errorf("%d pods are left that could begin when nobody waits for them", len(left))
	}
}

func TestAPodOfAJob(t *testing.T) {
	s := kubetest.New(t)
	c := s.Cluster()
	lease := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "i", Run: "agent-2", Digest: "d", Fence: 1}
	if _, err := kube.AcquireLease(t.Context(), c, lease); err != nil {
		t.Fatal(err)
	}
	s.Kubelet = ends(0, `{"results": {"n": 3}}`)
	q := jobAsked(c, "k", pipelines.Job{
		Image: "registry.example/canary:1", Script: "exit 0", WorkingDir: "/tmp", Env: []pipelines.EnvVariable{{Name: "URL", Value: "http://x/$(HOME)"}},
		Results: []pipelines.TaskResult{{Name: "n", Type: pipelines.TypeInt}},
	})
	q.Step.Timeout = new(pipelines.Duration(10 * time.Minute))
	f := NewJobs(clock.RealClock{}, asIs).Ask(t.Context(), q)
	if f.Verdict != api.Passed || f.Results["n"] != int64(3) || f.Seen["seconds"] != 3.0 {
		t.Errorf("%+v", f)
	}
	made := s.All("Pod")[0]
	labels := made.GetLabels()
	if labels["sluice.dev/run"] != "agent-2" || labels["sluice.dev/component"] != "agent" || !strings.HasPrefix(labels["sluice.dev/check"], "canary-run-") {
		t.Errorf("its labels are %v", labels)
	}
	owner := made.GetOwnerReferences()
	if len(owner) != 1 || owner[0].Kind != "Lease" || owner[0].UID != s.All("Lease")[0].GetUID() {
		t.Errorf("it goes with %+v", owner)
	}
	if deadline, _, _ := unstructured.NestedInt64(made.Object, "spec", "activeDeadlineSeconds"); deadline != 600 {
		t.Errorf("its node ends it after %d s", deadline)
	}
	containers, _, _ := unstructured.NestedSlice(made.Object, "spec", "containers")
	if folder := containers[0].(map[string]any)["workingDir"]; folder != "/tmp" {
		t.Errorf("it starts in %v", folder)
	}
	env := map[string]string{}
	for _, v := range containers[0].(map[string]any)["env"].([]any) {
		variable := v.(map[string]any)
		env[variable["name"].(string)] = fmt.Sprint(variable["value"])
	}
	want := map[string]string{
		"PARAM_MIN_SUCCESS": "0.99", "PARAM_WINDOW": "1m30s", "PARAM_TEXT": "$$(PATH) $$$$", "URL": "http://x/$$(HOME)",
		"SLUICE_RUN": "agent-2", "SLUICE_COMPONENT": "agent", "SLUICE_VERSION": "2.0.0", "SLUICE_POINT": "afterBatch", "SLUICE_BATCH": "1",
		"SLUICE_UNIT": "prod/eu-1/all/1", "SLUICE_CLUSTER": "eu-1", "SLUICE_WORKLOAD_NAMESPACE": "apps",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("its environment (-want +got):\n%s", diff)
	}
}

func TestAJobLeavesResultsWhereItsPodCollectsThem(t *testing.T) {
	for _, c := range []struct {
		reason, script, arg string
		collected           bool
	}{
		{"the script names the file", "echo 1 > $(results.n.path)", "", true},
		{"an argument does", "echo 1 > $1", "$(results.n.path)", true},
		{"nobody does", "echo 1", "$(cat results)", false},
	} {
		s := kubetest.New(t)
		s.Kubelet = ends(0, "\nsluice results\nn 2\n1\n\n")
		q := jobAsked(s.Cluster(), "k", pipelines.Job{
			Image: "registry.example/canary:1", Script: c.script, Args: []string{c.arg}, Results: []pipelines.TaskResult{{Name: "n", Type: pipelines.TypeInt}},
		})
		expanded, err := q.Step.Expanded(func(name string) (any, bool) { return newBook(Inquiry{}).value(name, pipelines.ResolvedCheck{}, &q) })
		if err != nil {
			t.Fatal(err)
		}
		q.Step = expanded
		if f := NewJobs(clock.RealClock{}, asIs).Ask(t.Context(), q); f.Verdict != api.Passed || f.Results["n"] != int64(1) {
			t.Errorf("%s: %s: %s, %v", c.reason, f.Verdict, f.Message, f.Results)
		}
		made := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.All("Pod")[0].Object, made); err != nil {
			t.Fatal(err)
		}
		if collected := len(made.Spec.Volumes) == 2; collected != c.collected {
			t.Errorf("%s: the pod has the volumes %v", c.reason, made.Spec.Volumes)
		}
		if script := made.Annotations["sluice.dev/script"]; strings.Contains(script+made.Spec.Containers[0].Args[0], "$(results") {
			t.Errorf("%s: %s %v", c.reason, script, made.Spec.Containers[0].Args)
		}
	}
}

func TestAJobGetsNoneOfSluicesOwnAccounts(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = ends(0, "")
	for _, namespace := range []string{"", kube.LeaseNamespace} {
		q := jobAsked(s.Cluster(), "k", pipelines.Job{Image: "a:1", Namespace: namespace, ServiceAccount: "sluice"})
		if f := NewJobs(clock.RealClock{}, asIs).Ask(t.Context(), q); f.Verdict != api.Error || len(s.All("Pod")) > 0 {
			t.Errorf("in %q: %s: %s", namespace, f.Verdict, f.Message)
		}
	}
}

// TestAPodGoesWhereNobodyAsksForItAgain, and stays where a worker only goes.
func TestAPodGoesWhereNobodyAsksForItAgain(t *testing.T) {
	for _, c := range []struct {
		reason string
		cause  error
		stays  bool
	}{
		{"the run was aborted", ErrOver, false},
		{"the measurement took too long", tookLonger(time.Minute), false},
		{"the worker is stopped", errors.New("the worker stops"), true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := kubetest.New(t)
			s.Kubelet = becomes("Running", "running", map[string]any{})
			ctx, end := context.WithCancelCause(t.Context())
			answer := make(chan Finding, 1)
			go func() {
				answer <- NewJobs(clock.RealClock{}, asIs).Ask(ctx, jobAsked(s.Cluster(), "k", pipelines.Job{Image: "a:1"}))
			}()
			for end := time.Now().Add(20 * time.Second); len(s.All("Pod")) == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("no pod is made")
				}
			}
			end(c.cause)
			if f := <-answer; f.Verdict != api.Error || f.Message != c.cause.Error() {
				t.Errorf("%s: %s", f.Verdict, f.Message)
			}
			if there := len(s.All("Pod")) == 1; there != c.stays {
				t.Errorf("its pod is still there: %t", there)
			}
		})
	}
}

func TestSecretsOfAJobAreMasked(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = ends(1, "token=hidden")
	masked := func(text string) string { return strings.ReplaceAll(text, "hidden", "***") }
	if f := NewJobs(clock.RealClock{}, masked).Ask(t.Context(), jobAsked(s.Cluster(), "k", pipelines.Job{Image: "a:1"})); f.Message != "exit status 1: token=***" {
		t.Errorf("it says %q", f.Message)
	}
}

// TestProfilesHaveOneName: what can be written in a document can be made.
func TestProfilesHaveOneName(t *testing.T) {
	var written []string
	for _, p := range []pipelines.PodProfile{pipelines.ProfileRestricted, pipelines.ProfileNode, pipelines.ProfileHostNetwork} {
		written = append(written, string(p))
	}
	if diff := cmp.Diff(pod.Profiles(), written); diff != "" {
		t.Errorf("made and written (-made +written):\n%s", diff)
	}
}
