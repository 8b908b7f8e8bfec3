// Package deploymentlife is the case of a Deployment's life: it is made, grows, changes, and goes with all that it had.
package deploymentlife

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "deployment-life"

// Timeout is how long a run may take where nobody says.
const Timeout = 3 * time.Minute

// maxReplicas bounds what a run makes.
const maxReplicas = 10

// life is one run.
type life struct {
	*site.Site
	trial    *trial.Trial
	pod      site.PodSettings
	within   time.Duration // for each step
	replicas int           // to which it grows
	next     string        // the image that it changes to; "" changes an annotation alone
}

// Run goes through a Deployment's life. What does not come to pass in time is a fault.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	l := &life{
		trial: t, pod: site.ReadPod(r), within: r.Duration("WITHIN", 45*time.Second, 10*time.Minute),
		replicas: r.Int("REPLICAS", 2, 2, maxReplicas), next: r.Text("NEXT_IMAGE", ""),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if l.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	if err := l.Sweep(ctx, site.Deployments, site.Pods); err != nil {
		return err
	}
	err = l.through(ctx)
	if left := l.Clear(site.Deployments, site.Pods); left != nil {
		t.Text("left", left.Error())
	}
	return err
}

func (l *life) through(ctx context.Context) error {
	name := l.Name("")
	deployments := l.Client.AppsV1().Deployments(l.Namespace)
	patch := func(doing, body string) error {
		_, err := deployments.Patch(ctx, name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
		return site.Blame(err, doing)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"create", func() error {
			_, err := deployments.Create(ctx, l.deployment(name), metav1.CreateOptions{})
			return site.Blame(err, "create a Deployment")
		}},
		{"ready", func() error { return l.Complete(ctx, l.within, name, 1) }},
		{"scale", func() error {
			if err := patch("scale the Deployment", fmt.Sprintf(`{"spec": {"replicas": %d}}`, l.replicas)); err != nil {
				return err
			}
			return l.Complete(ctx, l.within, name, l.replicas)
		}},
		{"update", func() error {
			if err := patch("change the Deployment", l.change()); err != nil {
				return err
			}
			return l.Complete(ctx, l.within, name, l.replicas)
		}},
		{"delete", func() error {
			err := deployments.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)})
			return site.Blame(err, "delete the Deployment")
		}},
		{"gone", func() error { return l.gone(ctx, name) }},
	} {
		if err := l.trial.Step(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) deployment(name string) *appsv1.Deployment {
	app := map[string]string{"app": name}
	spec := l.pod.Spec()
	made := l.Made(name)
	return &appsv1.Deployment{
		ObjectMeta: made,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels.Merge(made.Labels, app)}, Spec: spec},
		},
	}
}

// change is a patch that makes every pod anew.
func (l *life) change() string {
	if l.next != "" {
		return fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": %q}]}}}}`, l.next)
	}
	return `{"spec": {"template": {"metadata": {"annotations": {"sluice.dev/probe-revision": "2"}}}}}`
}

func (l *life) gone(ctx context.Context, name string) error {
	_, gone, err := site.Gone(ctx, l.within, l.Client.AppsV1().Deployments(l.Namespace), &appsv1.Deployment{}, name)
	switch {
	case err != nil:
		return site.Blame(err, "look at the Deployment")
	case !gone:
		return trial.Fault("DeploymentNotGone", "the Deployment is still there %s after it was deleted", l.within)
	}
	of := metav1.ListOptions{LabelSelector: "app=" + name, Limit: 2 * maxReplicas}
	sets, err := l.Client.AppsV1().ReplicaSets(l.Namespace).List(ctx, of)
	if err != nil {
		return site.Blame(err, "list ReplicaSets")
	}
	pods, err := l.Client.CoreV1().Pods(l.Namespace).List(ctx, of)
	if err != nil {
		return site.Blame(err, "list pods")
	}
	if n, m := len(sets.Items), len(pods.Items); n+m > 0 {
		return trial.Fault("LeftBehind", "the Deployment is gone, and left %d ReplicaSets and %d pods", n, m)
	}
	return nil
}
