package check

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
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
