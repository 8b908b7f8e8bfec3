// Package podlife is the case of a pod's life: it is made, runs, takes a command, and goes.
package podlife

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "pod-life"

// Timeout is how long a run may take where nobody says.
const Timeout = time.Minute

// life is one run.
type life struct {
	*site.Site
	trial  *trial.Trial
	pod    site.PodSettings
	within time.Duration // for each step
	exec   []string      // a command that the image has; none: no command is run
}

// Run goes through a pod's life. A pod that does not become ready, takes no command or does not go is a fault.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	l := &life{
		trial: t, pod: site.ReadPod(r), within: r.Duration("WITHIN", 30*time.Second, 10*time.Minute), exec: r.List("EXEC", 20),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if l.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	if err := l.Sweep(ctx, site.Pods); err != nil {
		return err
	}
	err = l.through(ctx)
	if left := l.Clear(site.Pods); left != nil {
		t.Text("left", left.Error())
	}
	return err
}

func (l *life) through(ctx context.Context) error {
	name := l.Name("")
	var made *corev1.Pod
	err := l.trial.Step("create", func() (err error) {
		pod := &corev1.Pod{ObjectMeta: l.Made(name), Spec: l.pod.Spec()}
		made, err = l.Client.CoreV1().Pods(l.Namespace).Create(ctx, pod, metav1.CreateOptions{})
		return site.Blame(err, "create a pod")
	})
	if err != nil {
		return err
	}
	if err := l.trial.Step("schedule", func() error { return l.scheduled(ctx, name) }); err != nil {
		return err
	}
	if err := l.trial.Step("ready", func() error { return l.ready(ctx, name) }); err != nil {
		return err
	}
	if len(l.exec) > 0 {
		if err := l.trial.Step("exec", func() error { return l.runs(ctx, name) }); err != nil {
			return err
		}
	}
	err = l.trial.Step("delete", func() error {
		err := l.Client.CoreV1().Pods(l.Namespace).Delete(ctx, name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &made.UID},
		})
		return site.Blame(err, "delete a pod")
	})
	if err != nil {
		return err
	}
	return l.trial.Step("gone", func() error { return l.gone(ctx, name) })
}

func (l *life) scheduled(ctx context.Context, name string) error {
	pod, ok, err := l.FollowPod(ctx, l.within, name, func(p *corev1.Pod) bool { return p.Spec.NodeName != "" })
	if err != nil {
		return site.Blame(err, "look at the pod")
	}
	if pod == nil {
		return trial.Blind("PodDeleted", "somebody deleted pod %s", name)
	}
	if !ok {
		code, text := site.Waits(pod)
		return trial.Fault(code, "the pod has no node after %s: %s", l.within, text)
	}
	l.trial.Text("node", pod.Spec.NodeName)
	return nil
}

func (l *life) ready(ctx context.Context, name string) error {
	pod, ok, err := l.FollowPod(ctx, l.within, name, site.Ready)
	if err != nil {
		return site.Blame(err, "look at the pod")
	}
	if pod == nil {
		return trial.Blind("PodDeleted", "somebody deleted pod %s", name)
	}
	if ok {
		return nil
	}
	code, text := site.Waits(pod)
	if warned := l.Warned(ctx, name); warned != "" {
		text += "; " + warned
	}
	return trial.Fault(code, "the pod is not ready after %s on node %s: %s", l.within, pod.Spec.NodeName, text)
}

func (l *life) runs(run context.Context, name string) error {
	ctx, cancel := context.WithTimeout(run, l.within)
	defer cancel()
	err := l.Exec(ctx, name, l.exec)
	if stopped := trial.Stopped(run); stopped != nil {
		return stopped
	}
	return err
}

func (l *life) gone(ctx context.Context, name string) error {
	pod, gone, err := l.PodGone(ctx, l.within, name)
	if err != nil {
		return site.Blame(err, "look at the pod")
	}
	if !gone {
		return trial.Fault("PodNotGone", "the pod is still there %s after it was deleted, on node %s", l.within, pod.Spec.NodeName)
	}
	return nil
}
