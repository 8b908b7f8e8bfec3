package check

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// caseBench is a cluster with cases, a unit whose new pods were made and ready a minute ago, and a fake that plays the prober.
type caseBench struct {
	t     *testing.T
	s     *kubetest.Server
	clock clock.WithDelayedExecution
	pods  []*corev1.Pod
	wrote time.Time // when the workload was written last
	point pipelines.Point
	key   string
}

func newCaseBench(t *testing.T) *caseBench {
	s := kubetest.New(t)
	s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "sluice-probes"}}))
	return &caseBench{t: t, s: s, clock: clock.RealClock{}, point: pipelines.AfterBatch, key: "agent-2/prod/eu-1/all/1/k"}
}

// has puts cases into the cluster.
func (b *caseBench) has(configs ...*probing.Config) {
	for _, c := range configs {
		b.s.Put(kubetest.Object(b.t, c))
	}
}

func aCase(name string, change ...func(*probing.Config)) *probing.Config {
	c := &probing.Config{
		TypeMeta:   metav1.TypeMeta{APIVersion: "sluice.dev/v1alpha1", Kind: probing.KindConfig},
		ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: name},
		Spec:       probing.ConfigSpec{Probe: name, Version: "1.0.0", Timeout: metav1.Duration{Duration: time.Minute}},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func enforcing(c *probing.Config)  { c.Spec.Enforcement.Mode = probing.Enforcing }
func aboutNodes(c *probing.Config) { c.Spec.Target.Kind = probing.OfNodes }
func ofSet(name string) func(*probing.Config) {
	return func(c *probing.Config) { c.Labels = map[string]string{probing.LabelSet + name: "true"} }
}

func stands(state probing.State, since time.Time, target string) func(*probing.Config) {
	return func(c *probing.Config) {
		c.Status.Targets = append(c.Status.Targets, probing.TargetStatus{
			Target: target, State: state, Since: metav1.NewTime(since), Last: metav1.NewTime(since), Message: "as it stands",
		})
	}
}

// playProber has a fake answer each ProbeRun by its case and target.
func (b *caseBench) playProber(answers func(run *probing.Run) *probing.Result) {
	b.s.Prober = func(o *unstructured.Unstructured) map[string]any {
		run := &probing.Run{}
		text, _ := o.MarshalJSON()
		if err := json.Unmarshal(text, run); err != nil {
			b.t.Error(err)
		}
		r := answers(run)
		if r == nil {
			return nil
		}
		status, _ := json.Marshal(probing.RunStatus{Phase: probing.RunDone, Node: "ran-here", Version: "1.0.0", Result: r})
		var fields map[string]any
		_ = json.Unmarshal(status, &fields)
		return fields
	}
}

func verdict(v api.Verdict) *probing.Result {
	return &probing.Result{Verdict: v, Code: "Because", Message: "of this"}
}

func nodePod(node string, at time.Time) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "agent-" + node, CreationTimestamp: metav1.NewTime(at)},
		Spec:       corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at.Add(5 * time.Second))},
		}},
	}
}

func (b *caseBench) ask(ctx context.Context, step pipelines.ProbeCase) Finding {
	return NewProbeCases(b.clock, asIs).Ask(ctx, Question{
		Step: pipelines.ResolvedStep{Name: "probes/cases", StepKinds: pipelines.StepKinds{Probe: &step}}, Point: b.point, Key: b.key,
		Facts: rule.Facts{
			Change: rule.Change{Run: "agent-2", Component: "agent", By: "ada"}, Unit: rule.Unit{Path: "prod/eu-1/all/1", Cluster: "eu-1"},
			Workload: rule.Workload{Kind: "DaemonSet", Namespace: "apps", Name: "agent", Revision: "rev-2"},
		},
		Place: &Place{
			Cluster: "eu-1", API: b.s.Cluster(), Pods: func(context.Context) (Pods, error) { return Pods{New: b.pods}, nil },
			Objects: func(context.Context) ([]*unstructured.Unstructured, error) {
				o := &unstructured.Unstructured{}
				o.SetManagedFields([]metav1.ManagedFieldsEntry{
					{Manager: "kubectl", Time: new(metav1.NewTime(b.wrote))},
					{Manager: "controller", Subresource: "status", Time: new(metav1.NewTime(b.wrote.Add(time.Hour)))},
				})
				return []*unstructured.Unstructured{o}, nil
			},
		},
	})
}

func (b *caseBench) runs() (all []probing.Run) {
	for _, o := range b.s.All(probing.KindRun) {
		var run probing.Run
		text, _ := o.MarshalJSON()
		if err := json.Unmarshal(text, &run); err != nil {
			b.t.Error(err)
		}
		all = append(all, run)
	}
	return all
}

// TestFailureMode_P10: a case that did not pass holds, whyever it did not.
func TestFailureMode_P10(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	lately := time.Now().Add(-time.Minute)
	half, most := pipelines.Percent(50), pipelines.Percent(90)
	onNodes := func(bad ...string) func(*probing.Run) *probing.Result {
		return func(run *probing.Run) *probing.Result {
			if slices.Contains(bad, run.Spec.Target) {
				return verdict(api.Failed)
			}
			return verdict(api.Passed)
		}
	}
	always := func(v api.Verdict) func(*probing.Run) *probing.Result {
		return func(*probing.Run) *probing.Result { return verdict(v) }
	}
	byCase := func(bad string) func(*probing.Run) *probing.Result {
		return func(run *probing.Run) *probing.Result {
			if run.Spec.Case == bad {
				return verdict(api.Failed)
			}
			return verdict(api.Passed)
		}
	}
	life := pipelines.ProbeCase{Case: "life"}
	bound := pipelines.ProbeCase{Bound: true}
	for _, c := range []struct {
		reason string
		step   pipelines.ProbeCase
		cases  []*probing.Config
		nodes  []string
		prober func(*probing.Run) *probing.Result
		point  pipelines.Point
		want   api.Verdict
		says   string
		runs   int
	}{
		{"it passes", life, []*probing.Config{aCase("life")}, nil, always(api.Passed), "", api.Passed, "1 of 1 cases passed", 1},
		{"it fails, and says what and where", life, []*probing.Config{aCase("life")}, nil, always(api.Failed), "", api.Failed,
			"life failed (ran on ran-here): Because: of this (life-", 1},
		{"it could not run", life, []*probing.Config{aCase("life")}, nil, always(api.Error), "", api.Error, "life could not run", 1},
		{"it cannot tell", life, []*probing.Config{aCase("life")}, nil, always(api.Inconclusive), "", api.Inconclusive, "life could not tell", 1},
		{"it has nothing to look at, and no verdict is no pass", life, []*probing.Config{aCase("life")}, nil, always(api.Skipped), "",
			api.Inconclusive, "life had nothing to look at", 1},
		{"an advisory case that is named holds: whoever named it wants it to", life, []*probing.Config{aCase("life")}, nil, always(api.Failed), "",
			api.Failed, "life failed", 1},
		{"there is no such case", life, []*probing.Config{aCase("other")}, nil, always(api.Passed), "", api.Error, "cluster eu-1 has no case life", 0},
		{"it cannot run at all, as its prober says", life,
			[]*probing.Config{aCase("life", func(c *probing.Config) { c.Status.Problem = "its quota is used up" })}, nil,
			always(api.Passed), "", api.Error, "its quota is used up", 0},
		{"each of a set, and nothing else", pipelines.ProbeCase{Set: "plane"},
			[]*probing.Config{aCase("a", ofSet("plane")), aCase("b", ofSet("plane")), aCase("c", ofSet("other"))}, nil, byCase("c"), "",
			api.Passed, "2 of 2 cases passed", 2},
		{"one of a set fails", pipelines.ProbeCase{Set: "plane"},
			[]*probing.Config{aCase("a", ofSet("plane")), aCase("b", ofSet("plane"))}, nil, byCase("b"), "", api.Failed, "b failed", 2},
		{"no case of the set is there", pipelines.ProbeCase{Set: "plane"}, []*probing.Config{aCase("a")}, nil, always(api.Passed), "", api.Error,
			"no case of the set plane", 0},
		{"each new node, and one fails", pipelines.ProbeCase{Case: "life", Target: "newNodes"}, []*probing.Config{aCase("life", aboutNodes)},
			[]string{"n1", "n2", "n3"}, onNodes("n2"), "", api.Failed, "life failed on n2: Because: of this", 3},
		{"half of the nodes are enough", pipelines.ProbeCase{Case: "life", Target: "newNodes", AtLeast: &half},
			[]*probing.Config{aCase("life", aboutNodes)}, []string{"n1", "n2", "n3"}, onNodes("n2"), "", api.Passed, "life failed on n2", 3},
		{"nine of ten are more than two of three", pipelines.ProbeCase{Case: "life", Target: "newNodes", AtLeast: &most},
			[]*probing.Config{aCase("life", aboutNodes)}, []string{"n1", "n2", "n3"}, onNodes("n2"), "", api.Failed, "life failed on n2", 3},
		{"there is no new node yet", pipelines.ProbeCase{Case: "life", Target: "newNodes"}, []*probing.Config{aCase("life", aboutNodes)}, nil,
			always(api.Passed), "", api.Inconclusive, "no node has a pod of the new revision", 0},
		{"a case about the cluster is not aimed at nodes", pipelines.ProbeCase{Case: "life", Target: "newNodes"}, []*probing.Config{aCase("life")},
			[]string{"n1"}, always(api.Passed), "", api.Error, "case life is about the cluster", 0},
		{"bound, and advisory: it only reports", bound, []*probing.Config{aCase("life")}, nil, always(api.Failed), "", api.Passed,
			"advisory: life failed", 1},
		{"bound, and enforcing: it holds", bound, []*probing.Config{aCase("life", enforcing), aCase("soft")}, nil, byCase("life"), "", api.Failed,
			"life failed", 2},
		{"nothing is bound", bound, nil, nil, always(api.Passed), "", api.Error, "no case is bound to cluster eu-1", 0},
		{"after a batch those about nodes", bound, []*probing.Config{aCase("life", aboutNodes, enforcing), aCase("etcd", enforcing)},
			[]string{"n1", "n2"}, byCase("etcd"), "", api.Passed, "1 of 1 cases passed, 2 results", 2},
		{"after a batch those about nodes only report: all run, so that something holds", bound,
			[]*probing.Config{aCase("life", aboutNodes), aCase("etcd", enforcing)}, []string{"n1"}, byCase("etcd"), "", api.Failed, "etcd failed", 2},
		{"after the cluster all", bound, []*probing.Config{aCase("life", aboutNodes, enforcing), aCase("etcd", enforcing)},
			[]string{"n1", "n2"}, byCase("etcd"), pipelines.AfterCluster, api.Failed, "etcd failed", 3},
		{"bound, and one has nothing to look at: the others tell", bound, []*probing.Config{aCase("life", enforcing), aCase("soft")}, nil,
			func(run *probing.Run) *probing.Result {
				return verdict(map[string]api.Verdict{"life": api.Skipped, "soft": api.Passed}[run.Spec.Case])
			}, "", api.Passed, "life had nothing to look at", 2},
		{"bound, and none has anything to look at: nobody has looked", bound, []*probing.Config{aCase("life", enforcing), aCase("soft")}, nil,
			always(api.Skipped), "", api.Inconclusive, "life had nothing to look at", 2},
		{"bound, and one is about nodes that the cluster has not: it has nothing to look at", bound,
			[]*probing.Config{aCase("etcd", enforcing), aCase("life", aboutNodes, enforcing, func(c *probing.Config) {
				c.Spec.Target.Labels = map[string]string{"pool": "edge"}
			})}, nil, always(api.Passed), pipelines.AfterCluster, api.Passed, "life had nothing to look at", 1},
		{"it failed before the change, and is not blamed on it", life, []*probing.Config{aCase("life", stands(probing.Failing, long, ""))},
			[]string{"n1"}, always(api.Failed), "", api.Inconclusive, "life failed (ran on ran-here) before the change already: it fails since", 1},
		{"it fails since the change", life, []*probing.Config{aCase("life", stands(probing.Failing, lately.Add(20*time.Second), ""))},
			[]string{"n1"}, always(api.Failed), "", api.Failed, "life failed", 1},
		{"it failed before, and passes now", life, []*probing.Config{aCase("life", stands(probing.Failing, long, ""))}, []string{"n1"},
			always(api.Passed), "", api.Passed, "", 1},
		{"one node failed before, another by the change", pipelines.ProbeCase{Case: "life", Target: "newNodes"},
			[]*probing.Config{aCase("life", aboutNodes, stands(probing.Failing, long, "n1"))}, []string{"n1", "n2"}, onNodes("n1", "n2"), "", api.Failed,
			"life failed on n2: Because", 2},
		{"before the cluster nothing is the change's doing", life, []*probing.Config{aCase("life")}, nil, always(api.Failed),
			pipelines.BeforeCluster, api.Inconclusive, "nothing of it is there yet", 1},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newCaseBench(t)
			b.has(c.cases...)
			b.playProber(c.prober)
			if c.point != "" {
				b.point = c.point
			}
			for _, n := range c.nodes {
				b.pods = append(b.pods, nodePod(n, lately))
			}
			f := b.ask(t.Context(), c.step)
			if f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
				t.Errorf("%s: %s; want %s: %s", f.Verdict, f.Message, c.want, c.says)
			}
			if n := len(b.runs()); n != c.runs {
				t.Errorf("%d runs were made, want %d", n, c.runs)
			}
		})
	}
}

// TestNobodyServesProbes: a run that nobody takes up is an error after half a minute, and says what is missing.
func TestNobodyServesProbes(t *testing.T) {
	b := newCaseBench(t)
	fake := testclock.NewFakeClock(time.Now())
	b.clock = fake
	b.has(aCase("life"))
	found := make(chan Finding, 1)
	go func() { found <- b.ask(t.Context(), pipelines.ProbeCase{Case: "life"}) }()
	for passed := 0; passed < 6; {
		time.Sleep(50 * time.Millisecond)
		if len(b.s.All(probing.KindRun)) > 0 {
			fake.Step(10 * time.Second)
			passed++
		}
	}
	select {
	case f := <-found:
		if f.Verdict != api.Error || !strings.Contains(f.Message, "no `sluice agent --probes` serves probes in cluster") {
			t.Errorf("%s: %s", f.Verdict, f.Message)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for longer than a minute")
	}
}

// TestAPassThatIsThereAlreadyCounts where it is about the change: of the case as it is, after the pods were ready, and young.
func TestAPassThatIsThereAlreadyCounts(t *testing.T) {
	for _, c := range []struct {
		reason    string
		freshness time.Duration
		change    func(*probing.Run)
		podsSince time.Duration // after the run was made; negative is before
		runs      int
		wrote     time.Duration // the workload, as podsSince
	}{
		{"it is younger, and after the change", time.Hour, func(*probing.Run) {}, -time.Minute, 1, -time.Hour},
		{"nothing is taken that is there, where no freshness is named", 0, func(*probing.Run) {}, -time.Minute, 2, -time.Hour},
		{"it is from before the change", time.Hour, func(*probing.Run) {}, time.Minute, 2, -time.Hour},
		{"it did not pass", time.Hour, func(r *probing.Run) { r.Status.Result.Verdict = api.Failed }, -time.Minute, 2, -time.Hour},
		{"it is of another version of the case", time.Hour, func(r *probing.Run) { r.Status.Version = "0.9.0" }, -time.Minute, 2, -time.Hour},
		{"it runs still", time.Hour, func(r *probing.Run) { r.Status.Phase = probing.RunRunning }, -time.Minute, 2, -time.Hour},
		{"it is about something else", time.Hour, func(r *probing.Run) { r.Spec.Target = "n1" }, -time.Minute, 2, -time.Hour},
		{"the change has moved no pod, and its workload was written since", time.Hour, func(*probing.Run) {}, -30 * time.Minute, 2, time.Minute},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newCaseBench(t)
			b.has(aCase("life"))
			run := &probing.Run{
				TypeMeta:   metav1.TypeMeta{APIVersion: "sluice.dev/v1alpha1", Kind: probing.KindRun},
				ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: "life-by-event"},
				Spec:       probing.RunSpec{Case: "life", Cause: probing.Cause{Kind: probing.ByEvent, Key: "e"}},
				Status:     probing.RunStatus{Phase: probing.RunDone, Version: "1.0.0", Result: verdict(api.Passed)},
			}
			c.change(run)
			b.s.Put(kubetest.Object(t, run))
			b.pods, b.wrote = []*corev1.Pod{nodePod("n1", time.Now().Add(c.podsSince))}, time.Now().Add(c.wrote)
			b.playProber(func(*probing.Run) *probing.Result { return verdict(api.Passed) })
			step := pipelines.ProbeCase{Case: "life"}
			if c.freshness > 0 {
				step.Freshness = new(pipelines.Duration(c.freshness))
			}
			if f := b.ask(t.Context(), step); f.Verdict != api.Passed {
				t.Errorf("%s: %s", f.Verdict, f.Message)
			}
			if n := len(b.runs()); n != c.runs {
				t.Errorf("there are %d runs, want %d", n, c.runs)
			}
		})
	}
}

// TestTheSameMeasurementIsRunOnce: whoever asks again hears of the same run, and what nobody asks for any more is taken away.
func TestTheSameMeasurementIsRunOnce(t *testing.T) {
	b := newCaseBench(t)
	b.has(aCase("life"))
	waits := func(ctx context.Context, runs int, end func()) Finding {
		found := make(chan Finding, 1)
		go func() { found <- b.ask(ctx, pipelines.ProbeCase{Case: "life"}) }()
		for over := time.Now().Add(20 * time.Second); len(b.s.All(probing.KindRun)) < runs; time.Sleep(time.Millisecond) {
			if time.Now().After(over) {
				t.Fatal("no run is made")
			}
		}
		end()
		return <-found
	}
	for range 2 {
		ctx, kill := context.WithCancel(t.Context())
		if f := waits(ctx, 1, kill); f.Verdict == api.Passed {
			t.Errorf("what was cut short is %+v", f)
		}
	}
	run := b.runs()
	if len(run) != 1 {
		t.Fatalf("%d runs are there", len(run))
	}
	want := probing.Cause{Kind: probing.ByGate, Key: b.key, By: "ada", Revision: "rev-2", Text: "afterBatch prod/eu-1/all/1 of run agent-2"}
	if got := run[0]; got.Spec.Cause != want || got.Labels[probing.LabelCase] != "life" || len(got.OwnerReferences) != 1 {
		t.Errorf("the run is %+v", got)
	}
	ctx, over := context.WithCancelCause(t.Context())
	b.key += "/later"
	waits(ctx, 2, func() { over(ErrOver) })
	if left := b.runs(); len(left) != 1 || left[0].Name != run[0].Name {
		t.Errorf("%d runs are left, of which one may go on", len(left))
	}
}

// TestACaseIsAimedAtItsNodesAlone: a node that a case is not about tells nothing of what was changed there.
func TestACaseIsAimedAtItsNodesAlone(t *testing.T) {
	b := newCaseBench(t)
	edge := func(c *probing.Config) { c.Spec.Target.Labels = map[string]string{"pool": "edge"} }
	b.has(aCase("life", aboutNodes, enforcing, edge))
	for name, pool := range map[string]string{"n1": "edge", "n2": "core"} {
		b.s.Put(kubetest.Object(t, map[string]any{"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": map[string]any{"pool": pool}}}))
	}
	b.playProber(func(run *probing.Run) *probing.Result {
		if run.Spec.Target == "n2" {
			return verdict(api.Failed)
		}
		return verdict(api.Passed)
	})
	b.pods = []*corev1.Pod{nodePod("n1", time.Now().Add(-time.Minute)), nodePod("n2", time.Now().Add(-time.Minute))}
	if f := b.ask(t.Context(), pipelines.ProbeCase{Case: "life", Target: pipelines.CaseOfNewNodes}); f.Verdict != api.Passed {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	b.key += "/bound"
	if f := b.ask(t.Context(), pipelines.ProbeCase{Bound: true}); f.Verdict != api.Passed {
		t.Errorf("bound: %s: %s", f.Verdict, f.Message)
	}
	b.key, b.pods = b.key+"/none", b.pods[1:]
	f := b.ask(t.Context(), pipelines.ProbeCase{Case: "life", Target: pipelines.CaseOfNewNodes})
	if f.Verdict != api.Inconclusive || !strings.Contains(f.Message, "no node that case life is about") {
		t.Errorf("nobody has looked, and it is %s: %s", f.Verdict, f.Message)
	}
	b.key, b.point = b.key+"/bound", pipelines.AfterBatch
	f = b.ask(t.Context(), pipelines.ProbeCase{Bound: true})
	if f.Verdict != api.Inconclusive || !strings.Contains(f.Message, "life had nothing to look at") {
		t.Errorf("of nodes that it is not about it is %s: %s", f.Verdict, f.Message)
	}
}

// TestWhatCouldNotLookHidesNoFailure: a failure from before the change is one from before it, whatever could not look since.
func TestWhatCouldNotLookHidesNoFailure(t *testing.T) {
	b := newCaseBench(t)
	b.has(aCase("life"))
	ran := func(name string, v api.Verdict, ago time.Duration) {
		b.s.Put(kubetest.Object(t, &probing.Run{
			TypeMeta: metav1.TypeMeta{APIVersion: "sluice.dev/v1alpha1", Kind: probing.KindRun},
			ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-probes", Name: name,
				CreationTimestamp: metav1.NewTime(time.Now().Add(-ago))},
			Spec:   probing.RunSpec{Case: "life", Cause: probing.Cause{Kind: probing.ByEvent, Key: name}},
			Status: probing.RunStatus{Phase: probing.RunDone, Version: "1.0.0", Result: verdict(v)},
		}))
	}
	ran("life-failed", api.Failed, 30*time.Minute)
	ran("life-could-not", api.Error, 20*time.Minute)
	b.pods = []*corev1.Pod{nodePod("n1", time.Now().Add(time.Minute))}
	b.playProber(func(*probing.Run) *probing.Result { return verdict(api.Failed) })
	f := b.ask(t.Context(), pipelines.ProbeCase{Case: "life"})
	if f.Verdict != api.Inconclusive || !strings.Contains(f.Message, "it failed in life-failed") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
}

// TestAResidentSpeaksOfEachTarget: one that has said nothing of a target since tells nothing of it.
func TestAResidentSpeaksOfEachTarget(t *testing.T) {
	b := newCaseBench(t)
	fake := testclock.NewFakeClock(time.Now())
	b.clock = fake
	old := time.Now().Add(-time.Hour)
	resident := aCase("watching", stands(probing.Passing, old, "etcd-0"), stands(probing.Passing, old, "etcd-1"),
		stands(probing.Paused, old.Add(time.Minute), "etcd-2"), func(c *probing.Config) { c.Spec.Mode = probing.Resident })
	b.has(resident)
	found := make(chan Finding, 1)
	go func() { found <- b.ask(t.Context(), pipelines.ProbeCase{Case: "watching"}) }()
	for !fake.HasWaiters() {
		time.Sleep(time.Millisecond)
	}
	resident.Status.Targets[0].Last = metav1.Now()
	b.has(resident)
	select {
	case f := <-found:
		t.Fatalf("of etcd-1 nothing was said: %s: %s", f.Verdict, f.Message)
	case <-time.After(300 * time.Millisecond):
	}
	fake.Step(10 * time.Minute)
	f := <-found
	if f.Verdict != api.Inconclusive || !strings.Contains(f.Message, "watching could not tell on etcd-1") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
}

// TestResidentsAreWaitedFor: what a resident said before the check says nothing of now.
func TestResidentsAreWaitedFor(t *testing.T) {
	b := newCaseBench(t)
	resident := aCase("watching", stands(probing.Passing, time.Now().Add(-time.Hour), "etcd-0"), func(c *probing.Config) { c.Spec.Mode = probing.Resident })
	b.has(resident)
	found := make(chan Finding, 1)
	go func() { found <- b.ask(t.Context(), pipelines.ProbeCase{Case: "watching"}) }()
	select {
	case f := <-found:
		t.Fatalf("it has not waited: %+v", f)
	case <-time.After(300 * time.Millisecond):
	}
	resident.Status.Targets[0].State, resident.Status.Targets[0].Last = probing.Failing, metav1.Now()
	resident.Status.Targets[0].Since = metav1.Now()
	b.has(resident)
	f := <-found
	if f.Verdict != api.Failed || !strings.Contains(f.Message, "watching failed on etcd-0: as it stands") {
		t.Errorf("%s: %s", f.Verdict, f.Message)
	}
	if n := len(b.runs()); n != 0 {
		t.Errorf("%d runs were made", n)
	}
}

func TestOfManyNodesTheYoungestAreTaken(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 60 {
		pods = append(pods, nodePod(fmt.Sprintf("n%02d", i), time.Unix(int64(i), 0)))
	}
	names, all := newNodes(pods, probing.MaxSample)
	if all != 60 || len(names) != 50 || names[0] != "n10" || names[49] != "n59" {
		t.Errorf("%d of %d: %v", len(names), all, names)
	}
}
