package charts_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/occasion"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rights"
	"sluice.dev/sluice/internal/rights/rightstest"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// probed is where the cases of the test are.
const probed = "sluice-probes"

// someCases are scripts, of which two report as any program does, one of them for ever.
const someCases = `apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: looks}
spec:
  image: "sluice.local/fixture:1"
  command: [/bin/sh, -c, 'curl -sS -f -X POST -H "kh-run-uuid: $KH_RUN_UUID" -H "Content-Type: application/json" -d "{\"OK\": true, \"Errors\": []}" "$KH_REPORTING_URL"']
  profile: node
  nodeSelector: {local.sluice.dev/process: "true"}
  timeout: 30s
  severity: P2
  touches:
  - {apiGroups: [apps], resources: [deployments], verbs: [create]}
  - {resources: [configmaps], verbs: [create], everywhere: true}
---
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: hangs}
spec:
  image: "sluice.local/fixture:1"
  command: [/bin/sh, -c, "sleep 60"]
  profile: node
  nodeSelector: {local.sluice.dev/process: "true"}
  timeout: 1m
  severity: P2
---
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: overdue}
spec:
  image: "sluice.local/fixture:1"
  command: [/bin/sh, -c, "sleep 60"]
  profile: node
  nodeSelector: {local.sluice.dev/process: "true"}
  timeout: 1s
  severity: P2
---
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: stays}
spec:
  image: "sluice.local/fixture:1"
  command: [/bin/sh, -c, 'while true; do curl -sS -X POST -H "kh-run-uuid: $KH_RUN_UUID" -H "Content-Type: application/json" -d "{\"OK\": true, \"Errors\": []}" "$KH_REPORTING_URL"; sleep 0.2; done']
  mode: Resident
  profile: node
  nodeSelector: {local.sluice.dev/process: "true"}
  timeout: 30s
  severity: P2
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: all}
spec:
  clusters: {all: true}
  cases:
  - {name: by-hand, probe: looks}
  - {name: by-gate, probe: looks}
  - {name: hangs, probe: hangs}
  - {name: overdue, probe: overdue}
  freshness: 1h
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: always}
spec:
  clusters: {all: true}
  cases: [{name: stays, probe: stays}]
  freshness: 1h
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: told}
spec:
  clusters: {all: true}
  cases: [{name: by-event, probe: looks}]
  freshness: 1h
  events: [{on: Deployed, names: [Deployment/sluice-probes/web]}, {on: BatchMoved, names: [Deployment/sluice-probes/web]}]
`

// brought are the objects that the cases are in a cluster.
func brought(t *testing.T) (all []*unstructured.Unstructured) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cases.yaml"), []byte(someCases), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := templates.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := templates.Render(templates.Input{
		Source: source, Kind: templates.Probes, Component: "probes", Version: "1.0.0", Namespace: probed, Values: map[string]any{},
		Place: pipelines.Place{Cluster: "a", Group: "a", Environment: "test"}, KubeVersion: "v1.36.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range rendered.Objects {
		all = append(all, o.Unstructured)
	}
	return all
}

// ofProbes are the rights that an agent has because of probes alone: those of running them, and of asking for them.
func ofProbes(objects []*unstructured.Unstructured, steps []pipelines.StepKinds) (all []rights.Need) {
	apart := rights.Options{Apart: true}
	others := slices.Concat(rights.Work{Objects: objects}.Needs(apart), rights.Work{Agent: true}.Needs(apart))
	same := func(a rights.Need) func(rights.Need) bool {
		return func(b rights.Need) bool {
			return a.Group == b.Group && a.Resource == b.Resource && slices.Equal(a.Verbs, b.Verbs) && a.Place == b.Place && a.Why == b.Why
		}
	}
	for _, n := range (rights.Work{Objects: objects, Steps: steps, Agent: true}).Needs(apart) {
		if !slices.ContainsFunc(others, same(n)) {
			all = append(all, n)
		}
	}
	return all
}

// agent is what an agent does about probes, by the account that its chart has made, at a place that sees what it asks.
type agent struct {
	*cluster
	t      *testing.T
	api    client.Client // an administrator's
	clerk  *rightstest.Clerk
	pool   *kube.Pool
	prober *prober.Prober

	mu   sync.Mutex
	said []probing.Said
}

// hired gives the account of the chart the rights that are printed for it, as `sluice rbac --values` does, and starts its controllers.
func hired(t *testing.T, c *cluster, objects []*unstructured.Unstructured, steps []pipelines.StepKinds) *agent {
	t.Helper()
	a := &agent{cluster: c, t: t}
	roles := rights.Work{Objects: objects, Steps: steps, Agent: true}.Roles(rights.Options{Apart: true})
	body, err := yaml.Marshal(map[string]any{"rbac": rights.ValuesOf(roles)})
	if err != nil {
		t.Fatal(err)
	}
	values := fromFile(t, "sluice-agent-least")
	values["nameOverride"], values["probes"], values["rbac"] = "prober", map[string]any{"enabled": true}, valuesOf(t, string(body))["rbac"]
	files, err := rendered("sluice-agent", values)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		for _, object := range objectsIn(t, text) {
			if kind, _ := object["kind"].(string); kind == "Deployment" {
				continue // it is this test
			}
			if err := c.create(t.Context(), object, false); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
	asked, err := c.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "sluice-agent-prober",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rightstest.Settled(t, c.config, asked.Status.Token, rightstest.GrantsOf(roles))
	clerk, kubeconfig := rightstest.Seat(t, c.config, asked.Status.Token, true)
	a.clerk, a.pool = clerk, kube.NewPool(kube.Options{Kubeconfigs: []string{kubeconfig}})
	t.Cleanup(a.pool.Close)
	a.start()
	return a
}

// start hangs the controllers into a manager, as an agent does.
func (a *agent) start() {
	a.t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{probing.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			a.t.Fatal(err)
		}
	}
	var err error
	if a.api, err = client.New(a.config, client.Options{Scheme: scheme}); err != nil {
		a.t.Fatal(err)
	}
	var handler http.Handler
	reports := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	logger := slog.New(slog.DiscardHandler)
	log.SetLogger(logr.FromSlogHandler(logger.Handler()))
	a.prober = prober.New(prober.Options{URL: reports.URL, Clock: clock.RealClock{}, Logger: logger,
		Say: func(_ context.Context, s probing.Said) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.said = append(a.said, s)
			return nil
		},
	})
	handler = a.prober.Reports()
	k := &control.Keeper{Clock: clock.RealClock{}, Logger: logger, Controllers: []control.Controller{a.prober.Controller(), {
		Name: "occasions", Add: func(cluster string, m manager.Manager) error {
			return occasion.Add(cluster, m, func(ctx context.Context, e probing.Event) { a.prober.Happened(ctx, cluster, e) })
		},
	}}}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: "a", Config: func() (*rest.Config, error) { return a.pool.Config("a") }}})
	a.t.Cleanup(func() {
		stop()
		k.Wait()
		reports.Close()
	})
}

// until waits for something. What was forbidden meanwhile says why it does not come.
func (a *agent) until(what string, met func() bool) {
	a.t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			a.t.Fatalf("%s; it was refused %v", what, a.clerk.Refused())
		}
	}
}

// passed reports whether a run of a case has passed for a kind of cause.
func (a *agent) passed(probeCase string, cause probing.CauseKind) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.said, func(s probing.Said) bool {
		return slices.ContainsFunc(s.Outcomes, func(o probing.Outcome) bool {
			return o.Case == probeCase && o.Cause.Kind == cause && o.Verdict == api.Passed
		})
	})
}

func (a *agent) change(o client.Object, change func()) {
	a.t.Helper()
	before := client.MergeFrom(o.DeepCopyObject().(client.Object))
	change()
	if err := a.api.Patch(a.t.Context(), o, before); err != nil {
		a.t.Fatal(err)
	}
}

// TestAnAgentRunsProbesByItsRolesAlone has every kind of run take place by the account of the chart: what it is refused is an error, and so is
// what it is given and does not ask for.
func TestAnAgentRunsProbesByItsRolesAlone(t *testing.T) {
	c := newCluster(t)
	c.stack.NeedProgram(t, "fixture")
	objects, steps := brought(t), []pipelines.StepKinds{{Probe: &pipelines.ProbeCase{Case: "by-gate"}}}
	for _, text := range objectsIn(t, prober.Definitions()) {
		unstructured.RemoveNestedField(text, "metadata", "annotations") // as of an agent of before
		if err := c.create(t.Context(), text, false); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	a := hired(t, c, objects, steps)
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			continue // which create makes
		}
		a.until(o.GetName()+" cannot be made", func() bool { // its kind is served soon
			return c.create(t.Context(), o.DeepCopy().Object, false) == nil
		})
	}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: probed, Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.local/web:1"}}},
		},
	}}
	if err := a.api.Create(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	at := func(name string) *probing.Config {
		p := &probing.Config{}
		a.until("case "+name+" is not seen", func() bool {
			return a.api.Get(t.Context(), client.ObjectKey{Namespace: probed, Name: name}, p) == nil && p.Status.ObservedGeneration > 0
		})
		if p.Status.Problem != "" {
			t.Fatalf("case %s cannot run: %s", name, p.Status.Problem)
		}
		return p
	}
	late := at("overdue")
	a.change(late, func() { late.Annotations = map[string]string{probing.AnnotationRunNow: "1"} })
	hand := at("by-hand")
	a.change(hand, func() { hand.Annotations = map[string]string{probing.AnnotationRunNow: "1"} })
	a.until("nothing comes of a run by hand", func() bool { return a.passed("by-hand", probing.ByHand) })
	at("by-event")
	a.until("the Deployment is not complete", func() bool {
		return a.api.Get(t.Context(), client.ObjectKeyFromObject(web), web) == nil && web.Status.ReadyReplicas == 1
	})
	a.change(web, func() { web.Spec.Template.Spec.Containers[0].Image = "registry.local/web:2" })
	a.until("nothing comes of a change", func() bool { return a.passed("by-event", probing.ByEvent) })
	a.oddities(hand)
	a.losesAPod(at("hangs"))
	a.until("a program that hangs has not failed, though its node lives", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.ContainsFunc(a.said, func(s probing.Said) bool {
			return slices.ContainsFunc(s.Outcomes, func(o probing.Outcome) bool { return o.Case == late.Name && o.Verdict == api.Failed })
		})
	})
	a.asksForRuns(at("by-gate"))
	a.hasAResident(at("stays"))
	a.until("nobody says how the cluster is", func() bool {
		signal := &probing.Signal{}
		err := a.api.Get(t.Context(), client.ObjectKey{Name: probing.SignalName}, signal)
		return err == nil && len(signal.Status.Conditions) > 1 && signal.Status.Conditions[0].Reason == probing.NoCases && !signal.Status.Until.IsZero()
	})
	for _, p := range []*probing.Config{hand} { // its runs go with it, and their pods
		if err := a.api.Delete(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	a.until("nobody says that a case is gone", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.ContainsFunc(a.said, func(s probing.Said) bool { return slices.Contains(s.Gone, "by-hand") })
	})
	if refused := a.clerk.Refused(); len(refused) > 0 {
		t.Errorf("it was refused %v", refused)
	}
	taken := a.clerk.Taken()
	for _, n := range ofProbes(objects, steps) {
		for _, verb := range n.Verbs {
			asked := func(g rightstest.Grant) bool { return g.Group == n.Group && g.Resource == n.Resource && g.Verb == verb }
			if !slices.ContainsFunc(taken, asked) {
				t.Errorf("nobody asked to %s %s.%s: %s", verb, n.Resource, n.Group, n.Why)
			}
		}
	}
}

// oddities are runs that people write, one of them of no case, and what is left of a run that is gone.
func (a *agent) oddities(of *probing.Config) {
	a.t.Helper()
	written := func(name, probeCase string) *probing.Run {
		r := &probing.Run{
			ObjectMeta: metav1.ObjectMeta{Namespace: probed, Name: name},
			Spec:       probing.RunSpec{Case: probeCase, Cause: probing.Cause{Kind: probing.ByHand, Key: name}},
		}
		if err := a.api.Create(a.t.Context(), r); err != nil {
			a.t.Fatal(err)
		}
		return r
	}
	over := func(r *probing.Run) bool {
		return a.api.Get(a.t.Context(), client.ObjectKeyFromObject(r), r) == nil && r.Status.Told
	}
	labels := map[string]string{probing.LabelRun: of.Name + "-000000000000"}
	meta := metav1.ObjectMeta{Namespace: probed, Name: "left", Labels: labels}
	pod := corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "registry.local/left:1"}}, NodeSelector: map[string]string{"no": "where"},
	}
	left := []client.Object{
		&corev1.Pod{ObjectMeta: *meta.DeepCopy(), Spec: pod},
		&appsv1.Deployment{ObjectMeta: *meta.DeepCopy(), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "left", Labels: labels}},
	}
	for _, o := range left {
		if err := a.api.Create(a.t.Context(), o); err != nil {
			a.t.Fatal(err)
		}
	}
	none, one := written("none", "none"), written("one", of.Name)
	a.until("a run of no case is not over", func() bool { return over(none) })
	a.until("a run that somebody wrote is not over", func() bool { return over(one) })
	for _, o := range left {
		a.until(fmt.Sprintf("what a run has left is there, a %T", o), func() bool {
			return apierrors.IsNotFound(a.api.Get(a.t.Context(), client.ObjectKeyFromObject(o), o))
		})
	}
	if none.Status.Result.Code != "NoCase" || one.Status.Result.Verdict != api.Passed {
		a.t.Errorf("they are %+v and %+v", none.Status.Result, one.Status.Result)
	}
}

// asksForRuns has a case run as a check of a pipeline does, and another run be taken back that nobody waits for any more.
func (a *agent) asksForRuns(of *probing.Config) {
	a.t.Helper()
	c, err := a.pool.Cluster(a.t.Context(), "a")
	if err != nil {
		a.t.Fatal(err)
	}
	configs, err := caserun.Configs(a.t.Context(), c)
	if err != nil || len(configs) < 3 {
		a.t.Fatalf("%d cases, %v", len(configs), err)
	}
	runner := &caserun.Runner{Clock: clock.RealClock{}}
	ask := func(key string) caserun.Ask {
		return caserun.Ask{Config: of, Cause: probing.Cause{Kind: probing.ByGate, Key: key}}
	}
	all := func([]caserun.End) bool { return false }
	ends, err := runner.Run(a.t.Context(), c, []caserun.Ask{ask("1")}, all, nil)
	if err != nil || ends[0].Result == nil || ends[0].Result.Verdict != api.Passed {
		a.t.Fatalf("a gate gets %+v, %v", ends, err)
	}
	if _, err := caserun.Labelled(a.t.Context(), c, of); err != nil {
		a.t.Error(err)
	}
	ends, err = runner.Run(a.t.Context(), c, []caserun.Ask{ask("1"), ask("2")}, func([]caserun.End) bool { return true }, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := caserun.Remove(a.t.Context(), c, ends); err != nil {
		a.t.Error(err)
	}
}

// hasAResident waits for a resident to report, and has another one take its place.
func (a *agent) hasAResident(of *probing.Config) {
	a.t.Helper()
	passes := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.ContainsFunc(a.said, func(s probing.Said) bool {
			return slices.ContainsFunc(s.Stands, func(st probing.Stand) bool { return st.Case == of.Name && st.State == probing.Passing })
		})
	}
	a.until("a resident does not report", passes)
	a.change(of, func() { of.Spec.Version = "2.0.0" })
	a.until("no other resident takes its place", func() bool {
		return slices.ContainsFunc(a.runsOf(of), func(r probing.Run) bool { return r.Status.Phase == probing.RunDone })
	})
}

func (a *agent) runsOf(of *probing.Config) []probing.Run {
	a.t.Helper()
	all := &probing.RunList{}
	if err := a.api.List(a.t.Context(), all, client.InNamespace(probed), client.MatchingLabels{probing.LabelCase: of.Name}); err != nil {
		a.t.Fatal(err)
	}
	return all.Items
}

// losesAPod has somebody take the pod of a run away.
func (a *agent) losesAPod(of *probing.Config) {
	a.t.Helper()
	a.change(of, func() { of.Annotations = map[string]string{probing.AnnotationRunNow: "1"} })
	p := &corev1.Pod{}
	a.until("its pod does not run", func() bool {
		all := a.runsOf(of)
		return len(all) == 1 && a.api.Get(a.t.Context(), client.ObjectKey{Namespace: probed, Name: all[0].Status.Pod}, p) == nil &&
			p.Status.Phase == corev1.PodRunning
	})
	if err := a.api.Delete(a.t.Context(), p, client.GracePeriodSeconds(0)); err != nil {
		a.t.Fatal(err)
	}
	a.until("that its pod was taken away is not seen", func() bool {
		result := a.runsOf(of)[0].Status.Result
		return result != nil && result.Code == "Deleted"
	})
	a.until("its pod is still there", func() bool {
		return apierrors.IsNotFound(a.api.Get(a.t.Context(), client.ObjectKeyFromObject(p), p))
	})
	r := &a.runsOf(of)[0] // somebody says that it is under way, and its pod is not seen: it is asked for
	before := client.MergeFrom(r.DeepCopyObject().(client.Object))
	r.Status.Phase, r.Status.Result = probing.RunRunning, nil
	if err := a.api.Status().Patch(a.t.Context(), r, before); err != nil {
		a.t.Fatal(err)
	}
	a.until("that it has no pod is not seen", func() bool { return a.runsOf(of)[0].Status.Phase == probing.RunDone })
}

var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"a"}, 3, func(get localtest.Get) { stack = get }))
}
