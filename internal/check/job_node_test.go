package check

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/podrun"
	"sluice.dev/sluice/pipelines"
)

// TestJobsOnANodeThatRunsThem asks the kubelet's own word for what the other tests only play.
func TestJobsOnANodeThatRunsThem(t *testing.T) {
	stack := localtest.Start(t, []string{"jobs"}, 1)
	stack.NeedProgram(t, "fixture")
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{stack.Kubeconfig}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	jobs := NewJobs(clock.RealClock{}, asIs)
	t.Run("what a dead worker left is taken away", func(t *testing.T) { aDeadWorkersJob(t, c, jobs) })
	t.Run("what else a change writes is ready", func(t *testing.T) { objectsOfAServer(t, c) })
	t.Run("readiness that flaps is told", func(t *testing.T) { whatFlaps(t, c) })
	t.Run("cases of probes are run", func(t *testing.T) { casesOnANode(t, stack, c) })
	for _, j := range []struct {
		reason  string
		job     pipelines.Job
		timeout time.Duration
		want    api.Verdict
		says    string
	}{
		{"a script reads its params, and reports", pipelines.Job{
			Image:   "sluice.local/fixture:1",
			Script:  "echo \"{\\\"message\\\": \\\"$PARAM_MIN_SUCCESS in $SLUICE_CLUSTER\\\", \\\"results\\\": {\\\"n\\\": 3}}\" > $TERMINATION_LOG",
			Results: []pipelines.TaskResult{{Name: "n", Type: pipelines.TypeInt}},
		}, 0, api.Passed, "0.99 in eu-1"},
		{"it leaves results in files", pipelines.Job{
			Image: "sluice.local/fixture:1",
			Script: "printf %s \"$1\" > $(results.text.path)\necho 3 > $OUT\necho '[\"a\", \"b\"]' > $(results.list.path)\n" +
				"echo fine > $TERMINATION_LOG",
			Args: []string{"as it is"}, Env: []pipelines.EnvVariable{{Name: "OUT", Value: pod.ResultsDir("job", "it leaves results in files") + "/n"}},
			Results: []pipelines.TaskResult{{Name: "text"}, {Name: "n", Type: pipelines.TypeInt}, {Name: "list", Type: pipelines.TypeArray}},
		}, 0, api.Passed, "fine"},
		{"one that fails has its log", pipelines.Job{
			Image: "sluice.local/fixture:1", Script: "echo 3 > $(results.n.path)\necho looking\nexit 3",
			Results: []pipelines.TaskResult{{Name: "n", Type: pipelines.TypeInt}},
		}, 0, api.Failed, "exit status 3: looking"},
		{"what it fails with is the end of its log", pipelines.Job{Image: "sluice.local/fixture:1", Script: "echo looking\necho found it\nexit 3"},
			0, api.Failed, "exit status 3: looking\nfound it"},
		{"it cannot tell", pipelines.Job{Image: "sluice.local/fixture:1", Script: "exit 75"}, 0, api.Inconclusive, "exit status 75"},
		{"its image cannot be pulled", pipelines.Job{Image: "sluice.local/none:1"}, 0, api.Error, "its pod could not run to its end: ImagePullBackOff"},
		{"its node ends it", pipelines.Job{Image: "sluice.local/fixture:1", Script: "sleep 60"}, 2 * time.Second, api.Error, "its pod took longer than it may"},
	} {
		t.Run(j.reason, func(t *testing.T) {
			t.Parallel()
			j.job.StartTimeout = new(pipelines.Duration(25 * time.Second))
			j.job.Profile, j.job.NodeSelector = pipelines.ProfileNode, map[string]string{"local.sluice.dev/process": "true"}
			q := jobAsked(c, j.reason, j.job)
			if j.timeout > 0 {
				q.Step.Timeout = new(pipelines.Duration(j.timeout))
			}
			f := jobs.Ask(t.Context(), q)
			if f.Verdict != j.want || !strings.HasPrefix(f.Message, j.says) {
				t.Errorf("%s: %q; want %s: %q", f.Verdict, f.Message, j.want, j.says)
			}
		})
	}
}

// aDeadWorkersJob has a worker go while its pod runs, and the run end without it.
func aDeadWorkersJob(t *testing.T, c *kube.Cluster, jobs *Jobs) {
	job := pipelines.Job{
		Image: "sluice.local/fixture:1", Script: "sleep 600", Profile: pipelines.ProfileNode,
		NodeSelector: map[string]string{"local.sluice.dev/process": "true"},
	}
	left := func(run string) *corev1.Pod {
		q := jobAsked(c, "left by "+run, job)
		q.Facts.Change.Run = run
		want, err := jobs.pod(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		within, die := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); jobs.Ask(within, q) }()
		waitFor(t, "no pod runs", func() bool { return phaseOf(t, c, want) == corev1.PodRunning })
		die()
		<-done
		return want
	}
	mine, others := left("agent-7"), left("agent-8")
	for range 2 { // what is asked again changes nothing
		if err := podrun.RemoveOf(t.Context(), c, kube.LeaseNamespace, forJob, "agent-7"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the pod of the run that ended stays", func() bool { return phaseOf(t, c, mine) == "" })
	if got := phaseOf(t, c, others); got != corev1.PodRunning {
		t.Errorf("the pod of another run is %q", got)
	}
}

// phaseOf is the phase of a pod; "" where it is gone.
func phaseOf(t *testing.T, c *kube.Cluster, p *corev1.Pod) corev1.PodPhase {
	t.Helper()
	live, err := c.Get(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, p.Namespace, p.Name)
	if fault.CodeOf(err) == fault.NotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	return corev1.PodPhase(phase)
}

func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// objectsOfAServer has an API server and its controllers say of a definition and of Jobs how they are.
func objectsOfAServer(t *testing.T, c *kube.Cluster) {
	job := func(name, script string) string {
		return `{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "` + name + `", "namespace": "default"}, "spec": {"backoffLimit": 0,
			"template": {"spec": {"restartPolicy": "Never", "nodeSelector": {"local.sluice.dev/process": "true"}, "tolerations": [{"operator": "Exists"}],
				"containers": [{"name": "main", "image": "sluice.local/fixture:1", "command": ["/bin/sh", "-c", "` + script + `"]}]}}}}`
	}
	pod := &corev1.Pod{}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, o := range []struct {
		object string
		want   api.Verdict
		says   string
	}{
		{`{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gateways.example.com"}, "spec": {
			"group": "example.com", "scope": "Namespaced", "names": {"plural": "gateways", "singular": "gateway", "kind": "Gateway", "listKind": "GatewayList"},
			"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}`, api.Passed, ""},
		{job("migrates", "exit 0"), api.Passed, ""},
		{job("breaks", "exit 1"), api.Failed, "Job/breaks has failed: "},
	} {
		target := &unstructured.Unstructured{}
		if err := target.UnmarshalJSON([]byte(o.object)); err != nil {
			t.Fatal(err)
		}
		name := target.GetKind() + "/" + target.GetName()
		if _, err := c.Create(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		place := &Place{Cluster: "eu-1", API: c, Pods: func(context.Context) (Pods, error) { return Pods{New: []*corev1.Pod{pod}}, nil }}
		place.Others = func(ctx context.Context) ([]Other, error) {
			live, err := c.Get(ctx, target.GroupVersionKind(), target.GetNamespace(), target.GetName())
			return []Other{{Name: name, Live: live}}, err
		}
		var f Finding
		q := Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Workload: &pipelines.Workload{}}}, Place: place}
		waitFor(t, name+" is not as it should be", func() bool {
			f = NewWorkload(clock.RealClock{}, nil).Ask(t.Context(), q)
			return f.Again.IsZero() && f.Verdict != api.Error
		})
		if f.Verdict != o.want || !strings.HasPrefix(f.Message, o.says) && o.says != "" {
			t.Errorf("%s: %s: %q", name, f.Verdict, f.Message)
		}
	}
}
