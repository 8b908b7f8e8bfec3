// Package canary is the case of an application: it is released, grows, changes and shrinks, while users ask its service all the time.
package canary

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "canary"

// Timeout is how long a run may take where nobody says.
const Timeout = 5 * time.Minute

// Bounds of a run.
const (
	maxReplicas = 10
	maxRate     = 100
	leastAsked  = 50 // below, a share says nothing
	port        = 8080
	grace       = 10 // seconds that a pod has to end: more than drain
)

// app is one run.
type app struct {
	*site.Site
	trial    *trial.Trial
	pod      site.PodSettings
	within   time.Duration // for each step
	soak     time.Duration // that users have for each state
	replicas int           // to which it grows
	next     string        // the image that it changes to; "" changes an annotation alone
	rate     int           // requests a second
	atLeast  float64       // the share that has to be answered
	via      string
	users    users
}

// Run releases an application and measures how its users see it. That it does not come, grow, change, shrink or go is a fault; so is that
// too few users are answered meanwhile.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	a := &app{
		trial: t, pod: site.ReadPod(r), within: r.Duration("WITHIN", time.Minute, 10*time.Minute),
		soak: r.Duration("SOAK", 3*time.Second, time.Minute), replicas: r.Int("REPLICAS", 3, 2, maxReplicas),
		next: r.Text("NEXT_IMAGE", ""), rate: r.Int("RATE", 20, 1, maxRate), atLeast: r.Share("AT_LEAST", 0.995),
		via: r.Choice("VIA", "service", "pods"),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if a.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	if err := a.Sweep(ctx, site.Deployments, site.Services, site.Pods); err != nil {
		return err
	}
	err = a.through(ctx)
	if left := a.Clear(site.Deployments, site.Services, site.Pods); left != nil {
		t.Text("left", left.Error())
	}
	return err
}

func (a *app) through(ctx context.Context) error {
	name := a.Name("")
	where, err := a.release(ctx, name)
	if err != nil {
		return err
	}
	a.users.where, a.users.took = where, func(d time.Duration) { a.trial.Took("answer", d) }
	a.users.begin(ctx, a.rate)
	err = a.moves(ctx, name)
	a.users.end()
	if err == nil {
		err = a.judge()
	}
	a.observe()
	if err != nil {
		return err
	}
	return a.trial.Step("delete", func() error {
		d := a.Client.AppsV1().Deployments(a.Namespace)
		if err := d.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}); err != nil {
			return site.Blame(err, "delete the Deployment")
		}
		_, gone, err := site.Gone(ctx, a.within, d, &appsv1.Deployment{}, name)
		if err == nil && !gone {
			return trial.Fault("DeploymentNotGone", "the Deployment is still there %s after it was deleted", a.within)
		}
		return site.Blame(err, "look at the Deployment")
	})
}

// release makes the application and its service, and returns where users find it.
func (a *app) release(ctx context.Context, name string) (func() string, error) {
	var where func() string
	err := a.trial.Step("create", func() error {
		if _, err := a.Client.AppsV1().Deployments(a.Namespace).Create(ctx, a.deployment(name), metav1.CreateOptions{}); err != nil {
			return site.Blame(err, "create a Deployment")
		}
		made, err := a.Client.CoreV1().Services(a.Namespace).Create(ctx, a.service(name), metav1.CreateOptions{})
		if err != nil {
			return site.Blame(err, "create a Service")
		}
		where = func() string { return "http://" + hostPort(made.Spec.ClusterIP, 80) + "/" }
		if a.via == "pods" {
			where, err = a.readyPods(ctx, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := a.trial.Step("ready", func() error { return a.Complete(ctx, a.within, name, 1) }); err != nil {
		return nil, err
	}
	// A Service is known on all nodes a moment after its first pod is ready.
	return where, a.trial.Step("reach", func() error { return a.reached(ctx, where) })
}

// reached waits for the first good answer.
func (a *app) reached(run context.Context, where func() string) error {
	ctx, cancel := context.WithTimeout(run, a.within)
	defer cancel()
	first := users{where: where, client: newClient()}
	for {
		problem := first.ask()
		if problem == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			if err := trial.Stopped(run); err != nil {
				return err
			}
			return trial.Fault("NotReached", "a pod is ready, and nobody answers after %s: %s", a.within, problem)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// moves grows, changes and shrinks what users ask.
func (a *app) moves(ctx context.Context, name string) error {
	patch := func(body string) error {
		_, err := a.Client.AppsV1().Deployments(a.Namespace).
			Patch(ctx, name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
		return site.Blame(err, "change the Deployment")
	}
	change := `{"spec": {"template": {"metadata": {"annotations": {"sluice.dev/probe-revision": "2"}}}}}`
	if a.next != "" {
		change = fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": %q}]}}}}`, a.next)
	}
	for _, move := range []struct {
		name, patch string
		replicas    int
	}{
		{"grow", fmt.Sprintf(`{"spec": {"replicas": %d}}`, a.replicas), a.replicas},
		{"update", change, a.replicas},
		{"shrink", `{"spec": {"replicas": 1}}`, 1},
	} {
		a.users.enter(move.name)
		err := a.trial.Step(move.name, func() error {
			if err := patch(move.patch); err != nil {
				return err
			}
			return a.Complete(ctx, a.within, name, move.replicas)
		})
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return trial.Stopped(ctx)
		case <-time.After(a.soak):
		}
	}
	return nil
}

// judge says whether enough users were answered.
func (a *app) judge() error {
	return a.trial.Step("users", func() error {
		all := a.users.all()
		switch {
		case all.asked < leastAsked:
			return trial.Unsure("TooFewSamples", "only %d users asked, %d are needed", all.asked, leastAsked)
		case all.share() < a.atLeast:
			return trial.Fault("UsersFailed", "of %d users %d were answered, for %s nobody was; the last was told: %s",
				all.asked, all.good, a.users.outage.Round(time.Millisecond), a.users.last)
		}
		return nil
	})
}

func (a *app) observe() {
	all := a.users.all()
	a.trial.Number("users", float64(all.asked))
	a.trial.Number("users.answered", all.share())
	a.trial.Number("users.outage", float64(a.users.outage.Milliseconds()))
	for phase, v := range a.users.views {
		a.trial.Number("users.answered."+phase, v.share())
	}
}

func (a *app) deployment(name string) *appsv1.Deployment {
	labelsOf := map[string]string{"app": name}
	made, spec := a.Made(name), a.pod.Spec()
	main := &spec.Containers[0]
	main.Args = []string{Serve}
	main.Ports = []corev1.ContainerPort{{ContainerPort: port}}
	main.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(port)},
	}}
	spec.TerminationGracePeriodSeconds = new(int64(grace))
	return &appsv1.Deployment{
		ObjectMeta: made,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labelsOf},
			// One that is replaced stays until the next is there.
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1)),
			}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels.Merge(made.Labels, labelsOf)}, Spec: spec},
		},
	}
}

func (a *app) service(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: a.Made(name), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(port)}},
	}}
}
