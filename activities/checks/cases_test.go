package checks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/step"
)

func TestCasesAreRunByHand(t *testing.T) {
	config := func(name string, change func(*probing.Config)) *probing.Config {
		c := &probing.Config{
			TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig},
			ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: name},
			Spec:       probing.ConfigSpec{Probe: name, Timeout: metav1.Duration{Duration: time.Minute}},
		}
		change(c)
		return c
	}
	configs := []*probing.Config{
		config("etcd", func(c *probing.Config) { c.Labels = map[string]string{probing.LabelSet + "plane": "true"} }),
		config("pod-life", func(c *probing.Config) {
			c.Labels = map[string]string{probing.LabelSet + "plane": "true"}
			c.Spec.Events = []probing.EventSpec{{On: probing.Posted, Names: []string{"restored"}}}
		}),
		config("node-life", func(c *probing.Config) { c.Spec.Target.Kind = probing.OfNodes }),
		config("watching", func(c *probing.Config) { c.Spec.Mode = probing.Resident }),
	}
	for _, c := range []struct {
		reason string
		in     api.ProbeInput
		want   []string // case, target and verdict
		cause  probing.CauseKind
		code   fault.Code
	}{
		{"a case", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "etcd"}}, []string{"etcd  Failed"}, probing.ByHand, ""},
		{"each of a set", api.ProbeInput{ProbeSubject: api.ProbeSubject{Set: "plane"}}, []string{"etcd  Failed", "pod-life  Passed"}, probing.ByHand, ""},
		{"those that answer to an event", api.ProbeInput{ProbeSubject: api.ProbeSubject{Event: "restored"}}, []string{"pod-life  Passed"},
			probing.ByEvent, ""},
		{"nobody answers to an event, and that is no error", api.ProbeInput{ProbeSubject: api.ProbeSubject{Event: "other"}}, nil, "", ""},
		{"a node", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "node-life"}, Nodes: []string{"n1"}}, []string{"node-life n1 Passed"},
			probing.ByHand, ""},
		{"the nodes that it is about", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "node-life"}},
			[]string{"node-life n1 Passed", "node-life n2 Passed"}, probing.ByHand, ""},
		{"a case about the cluster has no nodes", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "etcd"}, Nodes: []string{"n1"}}, nil, "",
			fault.Invalid},
		{"a resident is not run", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "watching"}}, nil, "", fault.Refused},
		{"there is none", api.ProbeInput{ProbeSubject: api.ProbeSubject{Case: "none"}}, nil, "", fault.NotFound},
		{"there is none of the set", api.ProbeInput{ProbeSubject: api.ProbeSubject{Set: "none"}}, nil, "", fault.NotFound},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := kubetest.New(t)
			s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "sluice-probes"}}))
			for _, n := range []string{"n1", "n2"} {
				s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": n}}))
			}
			for _, config := range configs {
				s.Put(kubetest.Object(t, config))
			}
			// A fake plays the prober: etcd fails.
			s.Prober = func(o *unstructured.Unstructured) map[string]any {
				verdict, message := "Passed", ""
				if of, _, _ := unstructured.NestedString(o.Object, "spec", "case"); of == "etcd" {
					verdict, message = "Failed", "password=hunter22 was refused"
				}
				return map[string]any{"phase": "Done", "result": map[string]any{"verdict": verdict, "code": "C", "message": message}}
			}
			a := &checks.Activities{Clusters: s.Pool(), Clock: clock.RealClock{}}
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetTestTimeout(time.Minute)
			a.Register(env)
			c.in.Cluster, c.in.Context, c.in.Key, c.in.By = "a", "a", "k1", "ann"
			var runs []api.ProbedRun
			for range 2 { // whoever asks again hears the same
				answer, err := env.ExecuteActivity(step.RunCases.Name(), c.in)
				var app *temporal.ApplicationError
				if errors.As(err, &app) != (c.code != "") || app != nil && app.Type() != string(c.code) {
					t.Fatalf("%v, want %q", err, c.code)
				}
				if err == nil {
					err = answer.Get(&runs)
				}
				if c.code == "" && err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, r := range runs {
				got = append(got, r.Case+" "+r.Target+" "+string(r.Verdict))
				if r.ID == "" || r.Run == "" || strings.Contains(r.Message, "hunter22") {
					t.Errorf("a run is told as %+v", r)
				}
			}
			if strings.Join(got, "; ") != strings.Join(c.want, "; ") {
				t.Errorf("%q, want %q", got, c.want)
			}
			made := s.All(probing.KindRun)
			if len(made) != len(c.want) {
				t.Errorf("%d runs were made, want %d", len(made), len(c.want))
			}
			for _, o := range made {
				kind, _, _ := unstructured.NestedString(o.Object, "spec", "cause", "kind")
				by, _, _ := unstructured.NestedString(o.Object, "spec", "cause", "by")
				if kind != string(c.cause) || by != "ann" {
					t.Errorf("a run was made by %s of %s", by, kind)
				}
			}
		})
	}
}
