package acceptance

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probes/internal/site"
)

// direct runs a case as a program beside the cluster: while its API server is away nothing starts a pod.
func (s *local) direct(t *testing.T, name string, env ...string) *probe.More {
	t.Helper()
	run := fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
	cmd := exec.Command(filepath.Join(s.programs, "probes"), name)
	cmd.Env = append(s.env(run, time.Minute), env...)
	out, _ := cmd.CombinedOutput() // how it ends is in its report
	return s.reports.wait(t, run, time.Second, func() string { return string(out) })
}

// env is what a run finds in its environment beside a cluster.
func (s *local) env(run string, lasts time.Duration) []string {
	return []string{
		"KUBECONFIG=" + s.kubeconfig(), "KH_POD_NAMESPACE=" + namespace, "KH_REPORTING_URL=" + s.reports.url(), "KH_RUN_UUID=" + run,
		"SLUICE_PROBE_RUN=" + run, fmt.Sprintf("KH_CHECK_RUN_DEADLINE=%d", time.Now().Add(lasts).Unix()),
	}
}

// TestWhosePartIsAway takes parts of the cluster away: each case says what it saw, and none blames what it could not see.
func TestWhosePartIsAway(t *testing.T) {
	s := need(t)
	expect := func(t *testing.T, m *probe.More, verdict probe.Verdict, codes ...string) {
		t.Helper()
		if m.Verdict != verdict || !strings.Contains(" "+strings.Join(codes, " ")+" ", " "+m.Code+" ") {
			t.Errorf("it is %s %s: %s; want %s %v", m.Verdict, m.Code, m.Message, verdict, codes)
		}
	}
	t.Run("scheduler", func(t *testing.T) {
		s.without(t, "scheduler", func() {
			expect(t, s.direct(t, "pod-life", "WITHIN=2s"), probe.Failed, "PodNotScheduled")
			// Nodes are fine: their pods ask no scheduler.
			expect(t, s.direct(t, "node-life", "IMAGE=sluice.local/fixture:1.0"), probe.Passed, "")
		})
	})
	t.Run("controller-manager", func(t *testing.T) {
		s.without(t, "controller-manager", func() {
			expect(t, s.direct(t, "deployment-life", "WITHIN=2s"), probe.Failed, "DeploymentNotSeen")
			expect(t, s.direct(t, "pod-life"), probe.Passed, "")
		})
	})
	t.Run("kubelets", func(t *testing.T) {
		s.without(t, "kwok", func() {
			m := s.direct(t, "node-life", "IMAGE=sluice.local/fixture:1.0", "WITHIN=4s")
			expect(t, m, probe.Failed, "PodNotStarted")
			for _, p := range m.Parts {
				if (p.Verdict == probe.Passed) != (p.Target == "a-process") {
					t.Errorf("of node %s it says %s: %s", p.Target, p.Verdict, p.Message)
				}
			}
		})
	})
	t.Run("API server", func(t *testing.T) {
		resident := s.begin(t, given{name: "api-server-resident", rights: true, params: map[string]string{"every": "100ms", "within": "1s"}})
		verdicts := func() string {
			var all []string
			for _, r := range s.reports.all(resident) {
				if v := string(r.More.Verdict); len(all) == 0 || all[len(all)-1] != v {
					all = append(all, v)
				}
			}
			return strings.Join(all, " ")
		}
		await := func(first, last string, within time.Duration) {
			t.Helper()
			eventually(t, within, func() string {
				if got := verdicts(); !strings.HasPrefix(got, first) || !strings.HasSuffix(got, last) {
					return fmt.Sprintf("the resident says %q, want %q first and %s last: %s", got, first, last, s.log(resident))
				}
				return ""
			})
		}
		await("Passed", "Passed", 20*time.Second)
		s.without(t, "apiserver", func() {
			began := time.Now()
			await("Passed Failed", "Failed", 5*time.Second)
			t.Logf("the resident said it %s after the API server was away", time.Since(began).Round(time.Millisecond))
			expect(t, s.direct(t, "api-server"), probe.Failed, "APIServerUnreachable")
			// They are about other things.
			expect(t, s.direct(t, "pod-life"), probe.Error, "APIServerUnreachable")
			expect(t, s.direct(t, "canary"), probe.Error, "APIServerUnreachable")
			expect(t, s.direct(t, "etcd", "ENDPOINTS="+s.etcd), probe.Passed, "")
		})
		// One that starts may not know yet what the case may do.
		await("Passed Failed", "Passed", 20*time.Second)
		if err := s.client.CoreV1().Pods(namespace).Delete(t.Context(), resident, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("etcd", func(t *testing.T) {
		s.without(t, "etcd", func() {
			expect(t, s.direct(t, "etcd", "ENDPOINTS="+s.etcd, "WITHIN=1s"), probe.Failed, "NoAnswer")
			expect(t, s.direct(t, "api-server", "WITHIN=2s"), probe.Failed, "APIServerFailed", "APIServerUnreachable")
		})
	})
}

// TestWhoIsToldToEndFoundNothing tells a run to end that waits for a pod, and gives another one too little time.
func TestWhoIsToldToEndFoundNothing(t *testing.T) {
	s := need(t)
	for name, c := range map[string]struct {
		lasts   time.Duration
		verdict probe.Verdict
		code    string
	}{
		"told to end":  {time.Minute, probe.Error, "Interrupted"},
		"no time left": {10 * time.Second, probe.Inconclusive, "OutOfTime"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := strings.ReplaceAll(name, " ", "-")
			cmd := exec.Command(filepath.Join(s.programs, "probes"), "pod-life")
			cmd.Env = append(s.env(run, c.lasts), "IMAGE=x:1-never-ready")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.code == "Interrupted" {
				made := metav1.ListOptions{LabelSelector: "sluice.dev/probe-run=" + run}
				eventually(t, 20*time.Second, func() string {
					if list, err := s.client.CoreV1().Pods(namespace).List(t.Context(), made); err != nil || len(list.Items) != 1 {
						return fmt.Sprintf("it has not made a pod: %v", err)
					}
					return ""
				})
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait() // how it ends is in its report
			m := s.reports.wait(t, run, time.Second, func() string { return "" })
			if m.Verdict != c.verdict || m.Code != c.code {
				t.Errorf("it is %s %s: %s", m.Verdict, m.Code, m.Message)
			}
		})
	}
}

// TestNothingIsLeft says what becomes of what a run made that did not come to its end.
func TestNothingIsLeft(t *testing.T) {
	s := need(t)
	t.Run("it goes with its pod", func(t *testing.T) {
		run := s.begin(t, given{name: "pod-life", rights: true, params: map[string]string{"image": "x:1-never-ready", "within": "1m"}})
		made := metav1.ListOptions{LabelSelector: "sluice.dev/probe-made=pod-life,sluice.dev/probe-run=" + run}
		var pod corev1.Pod
		eventually(t, 30*time.Second, func() string {
			list, err := s.client.CoreV1().Pods(namespace).List(t.Context(), made)
			if err != nil || len(list.Items) != 1 {
				return fmt.Sprintf("it has not made a pod: %v", err)
			}
			pod = list.Items[0]
			return ""
		})
		if o := pod.OwnerReferences; len(o) != 1 || o[0].Name != run || o[0].Kind != "Pod" {
			t.Errorf("it belongs to %+v, want the pod %s", o, run)
		}
		// At once: the case has no time to take it away itself.
		if err := s.client.CoreV1().Pods(namespace).Delete(t.Context(), run, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
			t.Fatal(err)
		}
		nothingLeft(t, s)
	})
	t.Run("a later run sweeps it", func(t *testing.T) {
		env := map[string]string{"KUBECONFIG": s.kubeconfig(), "KH_POD_NAMESPACE": namespace}
		open := func(run string, timeout time.Duration) *site.Site {
			env["SLUICE_PROBE_RUN"] = run
			opened, err := site.Open("pod-life", timeout, func(name string) string { return env[name] })
			if err != nil {
				t.Fatal(err)
			}
			return opened
		}
		before := open("before", time.Minute)
		there := func() bool {
			list, err := s.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "sluice.dev/probe-run=before"})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Items) > 0 && list.Items[0].DeletionTimestamp == nil
		}
		pod := &corev1.Pod{ObjectMeta: before.Made(before.Name("")), Spec: site.PodSettings{Image: "x:1"}.Spec()}
		if _, err := s.client.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := open("now", time.Minute).Sweep(t.Context(), site.Pods); err != nil || !there() {
			t.Errorf("what another run made that may go on is taken away: %v", err)
		}
		time.Sleep(1100 * time.Millisecond) // the age of an object is in whole seconds
		// For a run that takes a minute less than nothing, all others are over.
		if err := open("later", -time.Minute).Sweep(t.Context(), site.Pods); err != nil || there() {
			t.Errorf("what a run left that is over stays: %v", err)
		}
		nothingLeft(t, s)
	})
}
