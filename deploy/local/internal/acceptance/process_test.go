package acceptance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// onProcessNode is what a pod says to run on the process node.
func onProcessNode(container corev1.Container) corev1.PodSpec {
	if container.Name == "" {
		container.Name = "main"
	}
	return corev1.PodSpec{
		Tolerations:                   []corev1.Toleration{{Key: stack.ProcessLabel, Operator: corev1.TolerationOpExists}},
		NodeSelector:                  map[string]string{stack.ProcessLabel: "true"},
		TerminationGracePeriodSeconds: new(int64(5)),
		Containers:                    []corev1.Container{container},
	}
}

func fixture(tag string, env ...string) corev1.Container {
	c := corev1.Container{Name: "main", Image: "sluice.local/fixture:" + tag, Ports: []corev1.ContainerPort{{ContainerPort: 8443}}}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
	return c
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8443)},
	}}
}

func createPod(t *testing.T, c kubernetes.Interface, app string, spec corev1.PodSpec) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: app, Labels: map[string]string{"app": app}}, Spec: spec}
	if _, err := c.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func podLog(t *testing.T, c kubernetes.Interface, pod string, options corev1.PodLogOptions) string {
	t.Helper()
	options.Container = "main"
	text, err := c.CoreV1().Pods(namespace).GetLogs(pod, &options).DoRaw(context.Background())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func testProcesses(t *testing.T, p *program) {
	c := p.client("east")
	ctx := context.Background()
	_, err := c.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "conf"}, Data: map[string]string{"greeting": "hello"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	createPod(t, c, "flaps", flaps())
	createPod(t, c, "dies", onProcessNode(fixture("1.1", "PANIC_AFTER=200ms")))
	createPod(t, c, "pull", onProcessNode(corev1.Container{Image: "sluice.local/no-such-program:1"}))
	sick := fixture("1.0", "HEALTHY=yes:2s,no")
	sick.LivenessProbe = probe("/healthz")
	createPod(t, c, "sick", onProcessNode(sick))
	well := fixture("1.0")
	well.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	createPod(t, c, "well", onProcessNode(well))
	job := fixture("1.0")
	job.Args = []string{"run", "--exit-code=3", `--termination-message={"seen":1}`}
	createProcessJob(t, c, onProcessNode(job))

	t.Run("readiness flaps", func(t *testing.T) { testFlapping(t, c) })
	t.Run("crashes back off", func(t *testing.T) { testCrashes(t, c) })
	t.Run("a missing program cannot be pulled", func(t *testing.T) { testMissingProgram(t, c) })
	t.Run("a sick container is restarted", func(t *testing.T) { testLiveness(t, c) })
	t.Run("a job leaves its message", func(t *testing.T) { testJobMessage(t, c) })
	t.Run("commands run beside it", func(t *testing.T) { testExec(t, p) })
	t.Run("nobody else reaches the kubelet", func(t *testing.T) { testKubeletIsGuarded(t, c) })
	t.Run("an account gets a token", func(t *testing.T) { testAccounts(t, c) })
	t.Run("deleted pods go", func(t *testing.T) { testProcessPodsGo(t, c, "flaps", "dies", "pull", "sick") })
}

// flaps is ready, then not, then ready, and has everything that a pod may have.
func flaps() corev1.PodSpec {
	main := fixture("1.0", "READY=yes:4s,no:3s,yes", "LOG_EVERY=500ms")
	main.ReadinessProbe = probe("/readyz")
	main.VolumeMounts = []corev1.VolumeMount{{Name: "conf", MountPath: "/etc/conf"}}
	main.Env = append(main.Env,
		corev1.EnvVar{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		corev1.EnvVar{Name: "GREETING", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}, Key: "greeting",
		}}})
	spec := onProcessNode(main)
	first := fixture("1.0", "LOG_LINE=prepared")
	first.Name, first.Args, first.Ports = "first", []string{"run"}, nil
	spec.InitContainers = []corev1.Container{first}
	spec.Volumes = []corev1.Volume{{Name: "conf", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}},
	}}}
	return spec
}

func createProcessJob(t *testing.T, c kubernetes.Interface, spec corev1.PodSpec) {
	t.Helper()
	spec.RestartPolicy = corev1.RestartPolicyNever
	_, err := c.BatchV1().Jobs(namespace).Create(context.Background(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "message"},
		Spec: batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "message"}}, Spec: spec,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func testFlapping(t *testing.T, c kubernetes.Interface) {
	for _, want := range []bool{true, false, true} {
		eventually(t, 20*time.Second, func() string {
			if pod, _, ok := onlyPod(t, c, "flaps"); !ok || podReady(pod) != want {
				return fmt.Sprintf("ready is not %v: %+v", want, pod.Status.Conditions)
			}
			return ""
		})
		pod, s, _ := onlyPod(t, c, "flaps")
		if pod.Status.Phase != corev1.PodRunning || s.RestartCount != 0 {
			t.Errorf("a pod that is ready or not is %s with %d restarts", pod.Status.Phase, s.RestartCount)
		}
		res, err := http.Get("http://" + pod.Status.PodIP + ":8443/version")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || string(body) != "1.0\n" {
			t.Errorf("the pod answers %q, %v", body, err)
		}
	}
	all := podLog(t, c, "flaps", corev1.PodLogOptions{})
	if !strings.HasPrefix(all, "INFO listening address=127.") || strings.Count(all, "INFO working\n") < 4 {
		t.Errorf("the log is:\n%s", all)
	}
	if last := podLog(t, c, "flaps", corev1.PodLogOptions{TailLines: new(int64(2))}); last != "INFO working\nINFO working\n" {
		t.Errorf("the last two lines are %q", last)
	}
	if some := podLog(t, c, "flaps", corev1.PodLogOptions{LimitBytes: new(int64(9))}); some != all[:9] {
		t.Errorf("nine bytes are %q", some)
	}
	stamp, _, _ := strings.Cut(podLog(t, c, "flaps", corev1.PodLogOptions{Timestamps: true}), " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
		t.Errorf("a line with its time begins with %q", stamp)
	}
}

func testCrashes(t *testing.T, c kubernetes.Interface) {
	eventually(t, 30*time.Second, func() string {
		pod, s, ok := onlyPod(t, c, "dies")
		last := s.LastTerminationState.Terminated
		if !ok || waitingFor(s) != "CrashLoopBackOff" || s.RestartCount < 2 || last == nil || last.ExitCode != 2 {
			return fmt.Sprintf("it does not crash again and again: %+v", pod.Status)
		}
		return ""
	})
	text := podLog(t, c, "dies", corev1.PodLogOptions{Previous: true})
	if !strings.Contains(text, "panic: runtime error") || !strings.Contains(text, "goroutine 1 [running]:") {
		t.Errorf("the log before is:\n%s", text)
	}
}

func testMissingProgram(t *testing.T, c kubernetes.Interface) {
	eventually(t, 20*time.Second, func() string {
		if _, s, _ := onlyPod(t, c, "pull"); waitingFor(s) != "ImagePullBackOff" {
			return fmt.Sprintf("it waits for %q", waitingFor(s))
		}
		return ""
	})
	events, err := c.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{
		FieldSelector: "involvedObject.name=pull,reason=Failed",
	})
	if err != nil || len(events.Items) == 0 || !strings.Contains(events.Items[0].Message, "no-such-program") {
		t.Errorf("events are %+v, %v", events.Items, err)
	}
}

func testLiveness(t *testing.T, c kubernetes.Interface) {
	eventually(t, 20*time.Second, func() string {
		pod, s, _ := onlyPod(t, c, "sick")
		if last := s.LastTerminationState.Terminated; s.RestartCount < 1 || last == nil || last.ExitCode != 0 {
			return fmt.Sprintf("it was not asked to end: %+v", pod.Status.ContainerStatuses)
		}
		return ""
	})
}

func testJobMessage(t *testing.T, c kubernetes.Interface) {
	eventually(t, 20*time.Second, func() string {
		pod, s, ok := onlyPod(t, c, "message")
		if end := s.State.Terminated; !ok || pod.Status.Phase != corev1.PodFailed || end.ExitCode != 3 || end.Message != `{"seen":1}` {
			return fmt.Sprintf("the job's pod is %+v", pod.Status)
		}
		return ""
	})
}

func testExec(t *testing.T, p *program) {
	run := func(stdin string, args ...string) (string, int) {
		cmd := p.command("kubectl")
		cmd.Args = append(cmd.Args, append([]string{"--cluster", "east", "exec", "-q", "-i", "flaps", "-c", "main", "--"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			return string(out), exit.ExitCode()
		case err != nil:
			t.Fatal(err)
		}
		return string(out), 0
	}
	if out, code := run("", "sh", "-c", `echo "$POD $GREETING $(cat etc/conf/greeting) $IMAGE_TAG $PORT"; exit 4`); code != 4 || out != "flaps hello hello 1.0 8443\n" {
		t.Errorf("a command ends with %d and says %q", code, out)
	}
	if out, code := run("through\n", "cat"); code != 0 || out != "through\n" {
		t.Errorf("what goes in comes out as %q with %d", out, code)
	}
}

func testKubeletIsGuarded(t *testing.T, c kubernetes.Interface) {
	node, err := c.CoreV1().Nodes().Get(context.Background(), "east-process", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info := node.Status.NodeInfo; !strings.Contains(info.OSImage, "simulated") || info.ContainerRuntimeVersion != "processes://1.0.0" {
		t.Errorf("the node does not say what it is: %+v", info)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/pods", node.Status.DaemonEndpoints.KubeletEndpoint.Port))
	if err == nil {
		res.Body.Close()
		t.Errorf("somebody without a certificate is answered %s", res.Status)
	} else if !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("somebody without a certificate is refused with: %v", err)
	}
}

func testProcessPodsGo(t *testing.T, c kubernetes.Interface, names ...string) {
	for _, name := range names {
		if err := c.CoreV1().Pods(namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 15*time.Second, func() string {
		for _, name := range names {
			if len(pods(t, c, name)) > 0 {
				return "pod " + name + " is still there"
			}
		}
		return ""
	})
}

// testNodeKilled kills the process node: its pods' processes go with it, and are started again when it is back.
func testNodeKilled(t *testing.T, p *program) {
	c := p.client("east")
	_, before, ok := onlyPod(t, c, "well")
	if !ok || !before.Ready {
		t.Fatalf("the pod is not ready: %+v", before)
	}
	if err := syscall.Kill(p.pid("east", stack.ProcessNode), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() string {
		pod, s, ok := onlyPod(t, c, "well")
		last := s.LastTerminationState.Terminated
		if !ok || !podReady(pod) || s.RestartCount != before.RestartCount+1 || last == nil || last.ExitCode != 137 {
			return fmt.Sprintf("it was not started again: %+v", pod.Status)
		}
		return ""
	})
}
