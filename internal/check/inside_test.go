package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// proberImage is that of the pods of these tests.
const proberImage = "registry.example/sluice:1"

// answering plays a node that runs the program of a pod which asks from inside.
func answering(made *unstructured.Unstructured) map[string]any {
	said, err := AnswerInside(context.Background(), probe.New(clock.RealClock{}, nil), questionIn(made))
	if err != nil {
		return ends(2, err.Error())(made)
	}
	return ends(0, string(said))(made)
}

// questionIn is the question that a pod finds in its environment.
func questionIn(made *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(made.Object, "spec", "containers")
	env := containers[0].(map[string]any)["env"].([]any)
	return strings.ReplaceAll(env[0].(map[string]any)["value"].(string), "$$", "$")
}

// askedInside has a question asked from inside a cluster.
func askedInside(s *kubetest.Server, key string, kinds pipelines.StepKinds, pods Pods) Question {
	q := jobAsked(s.Cluster(), key, pipelines.Job{})
	q.Step.StepKinds = kinds
	q.Step.Aim().From = pipelines.FromCluster
	q.Place.Pods = func(context.Context) (Pods, error) { return pods, nil }
	return q
}

func insideSources(image string) Sources {
	return NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, image)
}

var took = regexp.MustCompile(` within [0-9]+ ms`)

// TestAPodSaysWhatTheWorkerWould: a probe is one piece of code, in two places.
func TestAPodSaysWhatTheWorkerWould(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	_ = l.Close()
	up, bad := serving(t, 200, `{"n": 3, "price": "$(1)"}`), serving(t, 503, "broken")
	aim := pipelines.ProbeAim{Target: pipelines.NewPods, Port: portKey}
	s := kubetest.New(t)
	s.Kubelet = answering
	for i, kinds := range []func() pipelines.StepKinds{
		func() pipelines.StepKinds {
			return pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + up, Expect: &pipelines.HTTPExpect{
				Status: []pipelines.IntOrText{"2xx"},
				JSON:   []pipelines.JSONValue{{Pointer: "/n", Equals: int64(3)}, {Pointer: "/price", Equals: "$(1)"}},
			}}}
		},
		func() pipelines.StepKinds { return pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + bad}} },
		func() pipelines.StepKinds { return pipelines.StepKinds{HTTP: &pipelines.HTTP{ProbeAim: aim}} },
		func() pipelines.StepKinds { return pipelines.StepKinds{TCP: &pipelines.TCP{Address: gone}} },
		func() pipelines.StepKinds {
			return pipelines.StepKinds{DNS: &pipelines.DNS{Server: gone, Name: "a.test"}}
		},
		func() pipelines.StepKinds {
			return pipelines.StepKinds{Certificate: &pipelines.Certificate{Address: up}}
		},
		func() pipelines.StepKinds {
			return pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://169.254.169.254/latest"}}
		},
	} {
		pods := Pods{New: []*corev1.Pod{aPod("a", up), aPod("b", bad), aPod("c", up, notReady)}}
		outside := kinds()
		here := asked(t, Question{Step: pipelines.ResolvedStep{StepKinds: outside}, Point: pipelines.AfterBatch, Place: placed(pods)})
		q := askedInside(s, fmt.Sprint(i), kinds(), pods)
		there := insideSources(proberImage)[q.Step.Kind()].Ask(t.Context(), q)
		if there.Seen["pod"] != "sluice-system/"+pod.Name("probe", fmt.Sprint(i)) {
			t.Errorf("%d: it was seen as %v", i, there.Seen)
		}
		for _, f := range []Finding{here, there} {
			for _, own := range []string{"millis", "pod", "layer"} {
				delete(f.Seen, own)
				delete(f.Results, own)
			}
		}
		if here.Verdict != there.Verdict || took.ReplaceAllString(here.Message, "") != took.ReplaceAllString(there.Message, "") {
			t.Errorf("%d: the worker: %s: %s; a pod: %s: %s", i, here.Verdict, here.Message, there.Verdict, there.Message)
		}
		worker, _ := json.Marshal(here.Seen)
		inside, _ := json.Marshal(there.Seen)
		if diff := cmp.Diff(string(worker), string(inside)); diff != "" {
			t.Errorf("%d: seen (-worker +pod):\n%s", i, diff)
		}
		if status, ok := there.Results["status"]; ok && status != here.Results["status"] {
			t.Errorf("%d: the results are %#v and %#v", i, here.Results, there.Results)
		}
	}
}

// TestAPodThatCouldNotAskIsNoFailureOfTheChange: only what was asked can fail.
func TestAPodThatCouldNotAskIsNoFailureOfTheChange(t *testing.T) {
	for _, c := range []struct {
		reason string
		status func(*unstructured.Unstructured) map[string]any
		says   string
	}{
		{"its image cannot be pulled", becomes("Pending", "waiting", map[string]any{"reason": "ImagePullBackOff", "message": "no such image"}),
			"its pod could not run to its end: ImagePullBackOff: no such image"},
		{"it needs more memory than it may have", becomes("Failed", "terminated", map[string]any{"exitCode": int64(137), "reason": "OOMKilled"}), "OOMKilled"},
		{"its image is something else", ends(1, "unknown command"), "its pod could not ask: exit status 1: unknown command"},
		{"its image ends well and says nothing", ends(0, ""), "its pod's answer cannot be read: EOF: is its image a sluice of this version?"},
		{"its answer was cut off", ends(0, `{"verdict": "Passed", "mess`), "cannot be read: unexpected EOF"},
		{"a newer one says more", ends(0, `{"verdict": "Passed", "unless": "x"}`), `cannot be read: json: unknown field "unless"`},
		{"its verdict is none", ends(0, `{"verdict": "Skipped"}`), `the verdict "Skipped", which is none`},
	} {
		s := kubetest.New(t)
		s.Kubelet = c.status
		q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80"}}, Pods{})
		if f := insideSources(proberImage)["tcp"].Ask(t.Context(), q); f.Verdict != api.Error || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s: %s", c.reason, f.Verdict, f.Message)
		}
	}
}

func TestWithoutAnImageNoPodIsMade(t *testing.T) {
	s := kubetest.New(t)
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80"}}, Pods{})
	f := insideSources("")["tcp"].Ask(t.Context(), q)
	if f.Verdict != api.Error || !strings.Contains(f.Message, "start it with --prober-image") || len(s.All("Pod")) > 0 {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	q.Place = nil
	if f := insideSources(proberImage)["tcp"].Ask(t.Context(), q); f.Verdict != api.Error {
		t.Errorf("without a cluster: %s: %s", f.Verdict, f.Message)
	}
}

// TestAPodThatAsks: it has no more rights than it needs, is told whom to compare with, and ends whatever becomes of its run.
func TestAPodThatAsks(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = ends(0, `{"verdict": "Passed"}`)
	aim := pipelines.ProbeAim{Target: pipelines.NewPods, Port: "80"}
	pods := Pods{
		New: []*corev1.Pod{aPod("new", "10.0.0.1:80")},
		Old: []*corev1.Pod{aPod("o1", "10.0.0.2:80"), aPod("o2", "10.0.0.3:80"), aPod("o3", "10.0.0.4:80"), aPod("o4", "10.0.0.5:80")},
	}
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{ProbeAim: aim}}, pods)
	q.Step.Timeout = new(pipelines.Duration(time.Minute))
	for range 2 { // whoever asks again has the same pod
		if f := insideSources(proberImage)["tcp"].Ask(t.Context(), q); f.Verdict != api.Passed {
			t.Fatalf("%s: %s", f.Verdict, f.Message)
		}
	}
	all := s.All("Pod")
	if len(all) != 1 {
		t.Fatalf("there are %d pods for one measurement", len(all))
	}
	made := all[0]
	var asked insideQuestion
	if err := json.Unmarshal([]byte(questionIn(made)), &asked); err != nil {
		t.Fatal(err)
	}
	if asked.Timeout.Std() != time.Minute || len(asked.Targets.New) != 1 || len(asked.Targets.Old) != controls {
		t.Errorf("it is asked %+v", asked)
	}
	container := made.Object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	if container["image"] != proberImage || fmt.Sprint(container["args"]) != "["+ProgramInside+"]" || container["command"] != nil {
		t.Errorf("it runs %v", container)
	}
	if root, _, _ := unstructured.NestedBool(made.Object, "spec", "securityContext", "runAsNonRoot"); !root {
		t.Error("it may run as root")
	}
	if _, tolerates, _ := unstructured.NestedSlice(made.Object, "spec", "tolerations"); tolerates {
		t.Error("it is not of the profile restricted")
	}
	if deadline, _, _ := unstructured.NestedInt64(made.Object, "spec", "activeDeadlineSeconds"); deadline != 60+120+30 {
		t.Errorf("its node ends it after %d s", deadline)
	}
	if made.GetLabels()[pod.LabelRun] != "agent-2" {
		t.Errorf("its labels are %v", made.GetLabels())
	}
}

func TestAPodThatAsksGoesWhereTheStepSays(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = ends(0, `{"verdict": "Passed"}`)
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80"}}, Pods{})
	s.Put(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "apps"}}})
	q.Step.TCP.Pod = &pipelines.ProbePod{Namespace: "apps", Profile: pipelines.ProfileNode, NodeSelector: map[string]string{"pool": "edge"}}
	if f := insideSources(proberImage)["tcp"].Ask(t.Context(), q); f.Verdict != api.Passed {
		t.Fatalf("%s: %s", f.Verdict, f.Message)
	}
	made := s.All("Pod")[0]
	pool, _, _ := unstructured.NestedString(made.Object, "spec", "nodeSelector", "pool")
	_, tolerates, _ := unstructured.NestedSlice(made.Object, "spec", "tolerations")
	if made.GetNamespace() != "apps" || pool != "edge" || !tolerates || len(made.GetOwnerReferences()) > 0 {
		t.Errorf("it is %v", made.Object)
	}
}

// TestAPodsBeginningIsNoneOfItsMeasurement: the step's timeout is for asking, and a pod has time to begin beside it.
func TestAPodsBeginningIsNoneOfItsMeasurement(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = ends(0, `{"verdict": "Passed"}`)
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80"}}, Pods{})
	q.Step.Timeout = new(pipelines.Duration(time.Nanosecond))
	m := NewMeasurer(clock.RealClock{}, NewRules(), insideSources(proberImage))
	found, err := m.Ask(t.Context(), Inquiry{
		Point: pipelines.AfterBatch, Facts: q.Facts, Place: q.Place, Key: "k",
		Checks: []pipelines.ResolvedCheck{{Name: "canary", At: []pipelines.Point{pipelines.AfterBatch}, Steps: []pipelines.ResolvedStep{q.Step}}},
	})
	if err != nil || found[0].Verdict != api.Passed {
		t.Errorf("%+v, %v", found, err)
	}
	s.Kubelet = answering
	q.Key = "late"
	f := insideSources(proberImage)["tcp"].Ask(t.Context(), q)
	if f.Verdict != api.Error || !strings.Contains(f.Message, "it took longer than") {
		t.Errorf("what was cut short in the pod: %s: %s", f.Verdict, f.Message)
	}
}

func TestAPodThatAsksGoesWithItsRun(t *testing.T) {
	s := kubetest.New(t)
	s.Kubelet = becomes("Running", "running", map[string]any{})
	ctx, end := context.WithCancelCause(t.Context())
	answer := make(chan Finding, 1)
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80"}}, Pods{})
	go func() { answer <- insideSources(proberImage)["tcp"].Ask(ctx, q) }()
	for end := time.Now().Add(20 * time.Second); len(s.All("Pod")) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no pod is made")
		}
	}
	end(ErrOver)
	if f := <-answer; f.Verdict != api.Error || len(s.All("Pod")) > 0 {
		t.Errorf("%d pods are left: %s: %s", len(s.All("Pod")), f.Verdict, f.Message)
	}
}

// TestWhatAPodIsToldAndSaysIsBounded by what Kubernetes keeps.
func TestWhatAPodIsToldAndSaysIsBounded(t *testing.T) {
	long := strings.Repeat("\x01", 5000)
	for _, f := range []Finding{
		{Verdict: api.Failed, Message: "short"},
		{Verdict: api.Failed, Message: strings.Repeat("x", 990), Seen: map[string]any{"who": []string{long, long}, "notPassed": int64(2)}},
		{Verdict: api.Failed, Message: long, Seen: map[string]any{"subject": long}},
	} {
		text, err := said(f)
		if err != nil || len(text) > maxAnswer {
			t.Errorf("%d bytes are said: %v", len(text), err)
		}
		if got := heard(pod.End{Said: string(text)}); got.Verdict != f.Verdict || got.Message == "" {
			t.Errorf("heard is %+v", got)
		} else if f.Seen["notPassed"] != nil && got.Seen["notPassed"] != int64(2) {
			t.Errorf("seen is %v", got.Seen)
		}
	}
	s := kubetest.New(t)
	q := askedInside(s, "k", pipelines.StepKinds{TCP: &pipelines.TCP{Address: "a.test:80", Send: strings.Repeat("x", maxQuestion)}}, Pods{})
	if f := insideSources(proberImage)["tcp"].Ask(t.Context(), q); f.Verdict != api.Error || !strings.Contains(f.Message, "a pod is asked at most") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	if _, err := AnswerInside(t.Context(), probe.New(clock.RealClock{}, nil), `{"step": {"gate": {"cel": "true"}}, "timeout": "1s"}`); err == nil {
		t.Error("a pod asks what is no probe")
	}
	if _, err := AnswerInside(t.Context(), probe.New(clock.RealClock{}, nil), `{"newer": 1}`); err == nil {
		t.Error("a pod asks half of what it was told")
	}
}
