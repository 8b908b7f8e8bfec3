package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

// player plays a pod's stages one by one, without a cluster and without
// waiting.
type player struct {
	t        *testing.T
	life     lifecycle.Lifecycle
	renderer gotpl.Renderer
	pod      *corev1.Pod
	deleted  bool
}

func newPlayer(t *testing.T, pod *corev1.Pod) *player {
	t.Helper()
	var stages []*internalversion.Stage
	for _, stage := range Stages() {
		internal, err := internalversion.ConvertToInternalStage(&stage)
		if err != nil {
			t.Fatal(err)
		}
		stages = append(stages, internal)
	}
	life, err := lifecycle.NewLifecycle(stages)
	if err != nil {
		t.Fatal(err)
	}
	return &player{t: t, life: life, pod: pod, renderer: gotpl.NewRenderer(gotpl.FuncMap{
		"NodeIPsWith": func(string) []string { return []string{"172.16.0.1"} },
		"PodIPsWith":  func(string, bool, string, string, string) []string { return []string{"10.0.0.1"} },
	})}
}

// next plays one stage and returns its name and delay; "" if none matches.
func (p *player) next() (string, time.Duration) {
	p.t.Helper()
	ctx := context.Background()
	event := &lifecycle.Event{Labels: p.pod.Labels, Annotations: p.pod.Annotations, Data: p.pod}
	possible, err := p.life.ListAllPossible(ctx, event)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(possible) == 0 {
		return "", 0
	}
	if len(possible) > 1 {
		p.t.Fatalf("%d stages match, the first two are %s and %s", len(possible), possible[0].Name(), possible[1].Name())
	}
	stage := possible[0]
	delay, _, err := stage.Delay(ctx, event, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = stage.DoSteps(0, nil, p.pod, p.renderer,
		func(*internalversion.StageEvent) error { return nil },
		func() error { p.deleted = true; return nil },
		func(patch *lifecycle.Patch) error { return p.apply(patch.Data) },
		func(*lifecycle.Apply) error { return fmt.Errorf("nothing is to be applied") },
	)
	if err != nil {
		p.t.Fatalf("stage %s: %v", stage.Name(), err)
	}
	return stage.Name(), delay
}

func (p *player) apply(patch []byte) error {
	before, err := json.Marshal(p.pod)
	if err != nil {
		return err
	}
	after, err := strategicpatch.StrategicMergePatch(before, patch, corev1.Pod{})
	if err != nil {
		return err
	}
	p.pod = &corev1.Pod{}
	return json.Unmarshal(after, p.pod)
}

func newPod(image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "n", UID: "u", Generation: 1},
		Spec: corev1.PodSpec{
			NodeName:       "node",
			RestartPolicy:  corev1.RestartPolicyAlways,
			InitContainers: []corev1.Container{{Name: "init", Image: "init:1"}},
			Containers:     []corev1.Container{{Name: "main", Image: image}, {Name: "side", Image: "side:1-crash"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}

func summary(pod *corev1.Pod) string {
	s := pod.Status.ContainerStatuses[0]
	state := "running"
	switch {
	case s.State.Waiting != nil:
		state = s.State.Waiting.Reason
	case s.State.Terminated != nil:
		state = s.State.Terminated.Reason
	}
	ready := "?"
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			ready = string(c.Status)
		}
	}
	return fmt.Sprintf("%s %s ready=%s/%v restarts=%d", pod.Status.Phase, state, ready, s.Ready, s.RestartCount)
}

func TestStages(t *testing.T) {
	crashes := []string{
		"Running CrashLoopBackOff ready=False/false restarts=1",
		"Running CrashLoopBackOff ready=False/false restarts=2",
		"Running CrashLoopBackOff ready=False/false restarts=3",
	}
	up := "Running running ready=True/true restarts=0"
	unready := "Running running ready=False/false restarts=0"
	job := func(pod *corev1.Pod) {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Job"}}
	}
	tests := map[string]struct {
		image  string
		change func(*corev1.Pod)
		want   []string
		goesOn bool
		reason string
	}{
		"Normal":          {image: "a:1", want: []string{up}, reason: "a good pod gets ready and stays so"},
		"NameIsNoTag":     {image: "host:5000/x-crash/a-crash", want: []string{up}, reason: "only the tag counts"},
		"Digest":          {image: "a:1-crash@sha256:0", want: append([]string{unready}, crashes...), goesOn: true, reason: "a digest after the tag changes nothing"},
		"Crash":           {image: "host:5000/a:1-crash", want: append([]string{unready}, crashes...), goesOn: true, reason: "it starts, then crashes for ever"},
		"CrashAfterReady": {image: "a:1-crash-after-ready", want: append([]string{up}, crashes...), goesOn: true, reason: "it is ready once and never again"},
		"NeverReady":      {image: "a:1-never-ready", want: []string{unready}, reason: "it runs and that is all"},
		"ReadyLate":       {image: "a:1-ready-late", want: []string{unready, up}, reason: "it takes its time"},
		"PanicLogs":       {image: "a:1-panic-logs", want: []string{up}, reason: "only its log is bad"},
		"PullError": {image: "a:1-pull-error", want: []string{
			"Pending ErrImagePull ready=False/false restarts=0", "Pending ImagePullBackOff ready=False/false restarts=0",
		}, reason: "it never runs"},
		"Job":       {image: "a:1", change: job, want: []string{up, "Succeeded Completed ready=False/false restarts=0"}, reason: "a job's pod ends"},
		"FailedJob": {image: "a:1-crash", change: job, want: []string{unready, "Failed Error ready=False/false restarts=0"}, reason: "a pod that is not restarted fails"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			pod := newPod(tc.image)
			if tc.change != nil {
				tc.change(pod)
			}
			p := newPlayer(t, pod)
			var got []string
			for len(got) < len(tc.want) {
				if stage, _ := p.next(); stage == "" {
					break
				}
				got = append(got, summary(p.pod))
			}
			if !slices.Equal(got, tc.want) {
				t.Fatalf("%s: went through\n%v, want\n%v", tc.reason, got, tc.want)
			}
			if stage, _ := p.next(); (stage != "") != tc.goesOn {
				t.Errorf("%s: then comes stage %q", tc.reason, stage)
			}
			if side := p.pod.Status.ContainerStatuses[1]; side.Name != "side" || side.RestartCount != 0 {
				t.Errorf("only the first container misbehaves: %+v", side)
			}
			if p.pod.Status.PodIP != "10.0.0.1" || p.pod.Status.HostIP != "172.16.0.1" || p.pod.Status.StartTime == nil {
				t.Errorf("status lacks addresses or start: %+v", p.pod.Status)
			}
		})
	}
}

func TestCrashesSlowDown(t *testing.T) {
	p := newPlayer(t, newPod("a:1-crash"))
	p.next()
	p.next()
	for _, want := range []time.Duration{2, 4, 8, 16, 20, 20} {
		stage, delay := p.next()
		if stage != "pod-crash-again" || delay != want*time.Second {
			t.Errorf("stage %s after %s, want %d s", stage, delay, want)
		}
	}
}

func TestReadyKeepsTheTimeOfItsChange(t *testing.T) {
	p := newPlayer(t, newPod("a:1-crash"))
	p.next()
	p.next()
	long := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	for i := range p.pod.Status.Conditions {
		p.pod.Status.Conditions[i].LastTransitionTime = long
	}
	p.next()
	for _, c := range p.pod.Status.Conditions {
		if !c.LastTransitionTime.Equal(&long) {
			t.Errorf("condition %s did not change and has the time %s", c.Type, c.LastTransitionTime)
		}
	}
}

func TestImageChangedInPlace(t *testing.T) {
	p := newPlayer(t, newPod("a:1"))
	p.next()
	p.pod.Spec.Containers[0].Image = "a:2"
	p.next()
	if got := summary(p.pod); got != "Running running ready=True/true restarts=1" {
		t.Errorf("after a change to a good image: %s", got)
	}
	p.pod.Spec.Containers[0].Image = "a:3-crash"
	p.next()
	p.next()
	if got := summary(p.pod); got != "Running CrashLoopBackOff ready=False/false restarts=3" {
		t.Errorf("after a change to a bad image: %s", got)
	}
}

func TestDeletionComesFirst(t *testing.T) {
	for _, image := range []string{"a:1", "a:1-crash", "a:1-pull-error"} {
		p := newPlayer(t, newPod(image))
		p.next()
		now := metav1.Now()
		p.pod.DeletionTimestamp = &now
		if stage, delay := p.next(); stage != "pod-delete" || delay != 0 || !p.deleted {
			t.Errorf("%s: a pod to be deleted goes to stage %q after %s", image, stage, delay)
		}
	}
}
