package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// world is a cluster in memory, a ledger, and the activities between them.
type world struct {
	*testing.T
	server *kubetest.Server
	pool   *kube.Pool
	acts   *Activities
	ledger ledger.Ledger
	ref    step.Ref // of the latest plan
	plan   plan.Plan
	states map[string]goal.State // of workloads that were brought, by object
	// brings is the component that plans are of, home where its objects go
	brings api.Subject
	home   string
}

// namespace is where everything in a world is.
const namespace = "apps"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, server: kubetest.New(t), brings: api.Component("agent"), home: namespace}
	for _, name := range []string{namespace, kube.LeaseNamespace} {
		w.server.Put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+name+`"}}`))
	}
	for i := range 4 {
		w.server.Put(parsed(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n%d"}}`, i)))
	}
	w.works(w.server.Pool())
	return w
}

// works gives a world its activities, on clusters and a ledger of its own.
func (w *world) works(pool *kube.Pool) {
	w.Helper()
	w.ledger = sqlitetest.New(w.T)
	installation, err := w.ledger.Installation(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	w.pool = pool
	w.acts = &Activities{Clusters: w.pool, Ledger: w.ledger, Checks: check.New(), Clock: clock.RealClock{}, Installation: installation}
	w.acts.hearts = func(context.Context) pulse.Heart {
		return pulse.Heart{Within: time.Hour, Beat: func(context.Context, step.Progress) error { return nil }}
	}
}

func packed(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := templates.Pack(dir)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return o
}

// object is an object of a world, by kind and name.
func (w *world) object(version, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(version)
	o.SetKind(kind)
	o.SetName(name)
	if there := w.server.Object(o); there != nil {
		return there
	}
	o.SetNamespace(namespace)
	return w.server.Object(o)
}

// folder has objects, as JSON, as the template of a component.
func (w *world) folder(objects []string) string {
	w.Helper()
	dir := w.TempDir()
	for i, text := range objects {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.yaml", i)), []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	return dir
}

// planned stores a plan that brings objects, as JSON, and a run of it.
func (w *world) planned(version string, objects []string, edit ...func(*plan.Plan)) {
	w.Helper()
	dir := w.folder(objects)
	w.plan = plan.Plan{
		Format: plan.Format, Subject: w.brings, Version: version, Pipeline: "careful",
		Source: plan.Source{Kind: "manifests", Template: w.blob(packed(w.T, dir)), Namespace: w.home},
		Stages: []plan.StagePlan{{Name: "all", Groups: []plan.Group{{Units: []plan.Unit{{
			Path: "g/a", Cluster: "a", Context: "a", Group: "g", Environment: "e2e", Values: w.blob([]byte("{}")), Target: "target-" + version, WayBack: w.present(),
		}}}}, Rules: plan.StageRules{
			NodeSets: []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}}, MaxUnavailable: pipelines.Count(1),
			Batches: []pipelines.Amount{pipelines.Count(1), pipelines.Percent(100)},
		}}},
	}
	for _, change := range edit {
		change(&w.plan)
	}
	w.ref = w.begin(ledger.Run{})
}

// begin stores the plan and a run of it, and returns its reference without a fence.
func (w *world) begin(run ledger.Run) step.Ref {
	w.Helper()
	body, err := plan.Encode(&w.plan)
	if err != nil {
		w.Fatal(err)
	}
	hash := ledger.Digest(body)[len("sha256:"):]
	stored := ledger.Plan{Hash: hash, Subject: w.brings, Version: w.plan.Version, Pipeline: "careful", Body: w.blob(body), Created: time.Now(), By: "test"}
	if err := w.ledger.SavePlan(w.Context(), stored); err != nil {
		w.Fatal(err)
	}
	run.Plan, run.Subject, run.Version, run.Started, run.By = hash, w.brings, w.plan.Version, time.Now(), "test"
	if run, err = w.ledger.NewRun(w.Context(), run); err != nil {
		w.Fatal(err)
	}
	return step.Ref{Run: run.Name, Plan: hash, Subject: w.brings, Cluster: "a", Context: "a"}
}

// present is the way back to what the ledger says runs.
func (w *world) present() plan.WayBack {
	d, err := w.ledger.Deployment(w.Context(), "a", w.brings)
	if fault.CodeOf(err) == fault.NotFound {
		return plan.WayBack{}
	}
	if err != nil {
		w.Fatal(err)
	}
	return plan.WayBack{Version: d.Version, Target: d.Target, Objects: d.Objects, Run: d.Run}
}

func (w *world) blob(data []byte) string {
	w.Helper()
	digest, err := w.ledger.PutBlob(w.Context(), data)
	if err != nil {
		w.Fatal(err)
	}
	return digest
}

// lock takes the Lease for the latest plan.
func (w *world) lock() {
	w.Helper()
	w.ref = must(w, w.acts.Acquire, w.ref)
}

// diff is what the latest plan would change.
func (w *world) diff() step.DiffResult {
	w.Helper()
	return must(w, w.acts.Diff, step.DiffRequest{Ref: w.ref})
}

// rendered are the objects that a diff is to bring.
func (w *world) rendered(d step.DiffResult) []*unstructured.Unstructured {
	w.Helper()
	set, err := w.acts.changes(w.Context(), d.Changes)
	if err != nil {
		w.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for _, c := range set.Objects {
		all = append(all, c.Target())
	}
	return all
}

// about asks for something of a workload of a diff.
func (w *world) about(d step.DiffResult, object string, state goal.State) step.WorkloadRequest {
	return step.WorkloadRequest{Ref: w.ref, Changes: d.Changes, Object: object, State: state}
}

// batch asks for a batch of a workload of a diff.
func (w *world) batch(d step.DiffResult, object string, state goal.State, number int, amount pipelines.Amount) step.AdvanceRequest {
	return step.AdvanceRequest{WorkloadRequest: w.about(d, object, state), Goal: goal.Goal{
		Sets: w.plan.Stages[0].Rules.NodeSets, Number: number, Amount: amount, MaxUnavailable: pipelines.Count(1),
	}}
}

// rollout is everything that a unit does to bring the latest plan, but for soaks and checks.
func (w *world) rollout() step.DiffResult {
	w.Helper()
	w.lock()
	d := w.diff()
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	for _, load := range d.Cluster.Workloads {
		state := must(w, w.acts.Prepare, w.about(d, load.Object, goal.State{}))
		must(w, w.acts.Advance, w.batch(d, load.Object, state, 1, pipelines.Percent(100)))
		must(w, w.acts.Finish, w.about(d, load.Object, state))
	}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes, After: true})
	must(w, w.acts.Release, step.ReleaseRequest{Ref: w.ref, Outcome: "Succeeded", Changes: d.Changes})
	return d
}

// must runs an activity that has to succeed.
func must[In, Out any](w *world, f func(context.Context, In) (Out, error), in In) Out {
	w.Helper()
	out, err := attempt(w, firstTry, f, in)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// attempt runs an activity as Temporal would, as one attempt of one step.
func attempt[In, Out any](w *world, try kube.Try, f func(context.Context, In) (Out, error), in In) (out Out, err error) {
	w.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&tries{try: try}}})
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		out, err = f(ctx, in)
		return nil
	}, activity.RegisterOptions{Name: "it"})
	if _, failed := env.ExecuteActivity("it"); failed != nil {
		w.Fatal(failed)
	}
	return out, err
}

// tries tells an activity which attempt it is.
type tries struct {
	interceptor.WorkerInterceptorBase
	try kube.Try
}

func (i *tries) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &inbound{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, try: i.try}
}

type inbound struct {
	interceptor.ActivityInboundInterceptorBase
	try kube.Try
}

func (i *inbound) Init(next interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&outbound{ActivityOutboundInterceptorBase: interceptor.ActivityOutboundInterceptorBase{Next: next}, try: i.try})
}

type outbound struct {
	interceptor.ActivityOutboundInterceptorBase
	try kube.Try
}

func (o *outbound) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	info.ActivityID, info.Attempt = fmt.Sprint(o.try.Step), int32(o.try.Attempt)
	return info
}

// configMap is a ConfigMap that no pod mounts, so that its name stays.
func configMap(name, value string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": %q, "namespace": %q}, "data": {"key": %q}}`, name, namespace, value)
}

// load is a workload that takes ready pods, of a version.
func load(kind, name, version string) string {
	o := map[string]any{
		"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": namespace},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": name}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "registry.example/" + name + ":" + version}}},
			},
		},
	}
	if kind == "Deployment" {
		o["spec"].(map[string]any)["replicas"] = 4
	}
	text, _ := json.Marshal(o)
	return string(text)
}
