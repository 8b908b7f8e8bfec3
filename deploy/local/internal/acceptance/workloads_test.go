package acceptance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const namespace = "default"

func template(app, image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "main", Image: image}, {Name: "side", Image: "side:1"},
		}},
	}
}

func selector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

func createDeployment(t *testing.T, c kubernetes.Interface, app, image string, replicas int32) {
	t.Helper()
	_, err := c.AppsV1().Deployments(namespace).Create(context.Background(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector(app), Template: template(app, image)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func createDaemonSet(t *testing.T, c kubernetes.Interface, app, image string) {
	t.Helper()
	_, err := c.AppsV1().DaemonSets(namespace).Create(context.Background(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec:       appsv1.DaemonSetSpec{Selector: selector(app), Template: template(app, image)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func createJob(t *testing.T, c kubernetes.Interface, name, image string) {
	t.Helper()
	pod := template(name, image)
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	var never int32
	_, err := c.BatchV1().Jobs(namespace).Create(context.Background(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       batchv1.JobSpec{Template: pod, BackoffLimit: &never},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func pods(t *testing.T, c kubernetes.Interface, app string) []corev1.Pod {
	t.Helper()
	list, err := c.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func onlyPod(t *testing.T, c kubernetes.Interface, app string) (corev1.Pod, corev1.ContainerStatus, bool) {
	t.Helper()
	found := pods(t, c, app)
	if len(found) != 1 {
		return corev1.Pod{}, corev1.ContainerStatus{}, false
	}
	for _, s := range found[0].Status.ContainerStatuses {
		if s.Name == "main" {
			return found[0], s, true
		}
	}
	return found[0], corev1.ContainerStatus{}, false
}

func podReady(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func waitingFor(s corev1.ContainerStatus) string {
	if s.State.Waiting == nil {
		return ""
	}
	return s.State.Waiting.Reason
}

func waitRolledOut(t *testing.T, c kubernetes.Interface, deployment string) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		d, err := c.AppsV1().Deployments(namespace).Get(context.Background(), deployment, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas < *d.Spec.Replicas || d.Status.AvailableReplicas < *d.Spec.Replicas {
			return fmt.Sprintf("deployment %s: %+v", deployment, d.Status)
		}
		return ""
	})
}

func testWorkloads(t *testing.T, c kubernetes.Interface, nodes int) {
	createDaemonSet(t, c, "agent", "registry.example:5000/agent:1.2.3")
	createDeployment(t, c, "web", "web:1.0@sha256:0123", 3)
	createJob(t, c, "job-good", "job:1")
	createJob(t, c, "job-bad", "job:1-crash")
	waitRolledOut(t, c, "web")
	eventually(t, 30*time.Second, func() string {
		ds, err := c.AppsV1().DaemonSets(namespace).Get(context.Background(), "agent", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if int(ds.Status.NumberReady) != nodes {
			return fmt.Sprintf("daemon set: %+v", ds.Status)
		}
		return ""
	})
	for _, pod := range pods(t, c, "web") {
		if pod.Status.PodIP == "" || pod.Status.HostIP == "" {
			t.Errorf("pod %s has no address: %+v", pod.Name, pod.Status)
		}
		for i, s := range pod.Status.ContainerStatuses {
			spec := pod.Spec.Containers[i]
			if s.Name != spec.Name || s.Image != spec.Image || !s.Ready || s.State.Running == nil {
				t.Errorf("pod %s: container status %+v", pod.Name, s)
			}
		}
	}
	eventually(t, 30*time.Second, func() string {
		good, err := c.BatchV1().Jobs(namespace).Get(context.Background(), "job-good", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		bad, err := c.BatchV1().Jobs(namespace).Get(context.Background(), "job-bad", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if good.Status.Succeeded != 1 || bad.Status.Failed != 1 {
			return fmt.Sprintf("jobs: good %+v, bad %+v", good.Status, bad.Status)
		}
		return ""
	})
	began := time.Now()
	name := pods(t, c, "web")[0].Name
	if err := c.CoreV1().Pods(namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() string {
		for _, pod := range pods(t, c, "web") {
			if pod.Name == name {
				return "pod " + name + " is still there"
			}
		}
		return ""
	})
	t.Logf("a pod was gone %s after its deletion", time.Since(began).Round(time.Millisecond))
}

func testMisbehaviour(t *testing.T, c kubernetes.Interface) {
	apps := []string{"crash", "crash-after-ready", "never-ready", "ready-late", "pull-error"}
	for _, app := range apps {
		createDeployment(t, c, app, "app:1.0-"+app, 1)
	}
	began := time.Now()
	everReady := map[string]bool{}
	check := func(app string, limit time.Duration, reason string, right func(corev1.Pod, corev1.ContainerStatus) bool) {
		t.Helper()
		eventually(t, limit, func() string {
			for _, other := range apps {
				if pod, _, ok := onlyPod(t, c, other); ok && podReady(pod) {
					everReady[other] = true
				}
			}
			pod, s, ok := onlyPod(t, c, app)
			if !ok || !right(pod, s) {
				return fmt.Sprintf("%s: %s: pod %+v", app, reason, pod.Status)
			}
			return ""
		})
	}
	check("pull-error", 20*time.Second, "is told that the image cannot be pulled", func(p corev1.Pod, s corev1.ContainerStatus) bool {
		return p.Status.Phase == corev1.PodPending && waitingFor(s) == "ImagePullBackOff" && s.RestartCount == 0
	})
	check("crash", 20*time.Second, "restarts again and again", func(p corev1.Pod, s corev1.ContainerStatus) bool {
		return p.Status.Phase == corev1.PodRunning && waitingFor(s) == "CrashLoopBackOff" && s.RestartCount >= 2 &&
			s.LastTerminationState.Terminated != nil && !podReady(p)
	})
	check("crash-after-ready", 20*time.Second, "crashes after it was ready", func(p corev1.Pod, s corev1.ContainerStatus) bool {
		return waitingFor(s) == "CrashLoopBackOff" && s.RestartCount >= 2 && !podReady(p)
	})
	if !everReady["crash-after-ready"] {
		t.Error("crash-after-ready was never ready")
	}
	check("ready-late", 40*time.Second, "is ready in the end", func(p corev1.Pod, _ corev1.ContainerStatus) bool {
		return podReady(p)
	})
	if late := time.Since(began); late < 19*time.Second {
		t.Errorf("ready-late was ready after %s already", late)
	}
	check("never-ready", 5*time.Second, "runs and is not ready", func(p corev1.Pod, s corev1.ContainerStatus) bool {
		return p.Status.Phase == corev1.PodRunning && s.State.Running != nil && !s.Ready && !podReady(p)
	})
	for _, app := range []string{"crash", "never-ready", "pull-error"} {
		if everReady[app] {
			t.Errorf("%s was ready once", app)
		}
	}
}

func testLogs(t *testing.T, c kubernetes.Interface) {
	createDeployment(t, c, "panics", "app:1.0-panic-logs", 1)
	waitRolledOut(t, c, "panics")
	read := func(app, container string) string {
		pod := pods(t, c, app)[0]
		text, err := c.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(context.Background())
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	eventually(t, 15*time.Second, func() string {
		if text := read("panics", "main"); !strings.Contains(text, "panic: ") {
			return "no panic in: " + text
		}
		return ""
	})
	if pod, _, ok := onlyPod(t, c, "panics"); !ok || !podReady(pod) {
		t.Error("a pod that only logs panics is not ready")
	}
	for _, text := range []string{read("panics", "side"), read("web", "main")} {
		if strings.Contains(text, "panic") || !strings.Contains(text, "INFO ready") {
			t.Errorf("a container that behaves logs:\n%s", text)
		}
	}
}

func testImageInPlace(t *testing.T, c kubernetes.Interface) {
	waitRolledOut(t, c, "web")
	pod := pods(t, c, "web")[0]
	pod.Spec.Containers[0].Image = "web:1.1"
	if _, err := c.CoreV1().Pods(namespace).Update(context.Background(), &pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() string {
		now, err := c.CoreV1().Pods(namespace).Get(context.Background(), pod.Name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if len(now.Status.ContainerStatuses) == 0 {
			return "no container status"
		}
		s := now.Status.ContainerStatuses[0]
		if s.Image != "web:1.1" || s.RestartCount != 1 || !podReady(*now) {
			return fmt.Sprintf("container status %+v", s)
		}
		return ""
	})
}
