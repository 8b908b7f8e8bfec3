package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/witness"
	"sluice.dev/sluice/worker"
)

// site is an installation of Sluice with a ledger and a Temporal namespace of its own, and a component that no other test has.
type site struct {
	t         testing.TB
	stack     *localtest.Stack
	dial      engine.DialOptions
	ledger    ledger.Ledger
	engine    *engine.Engine
	path      string            // of the ledger
	files     string            // the documents of the test
	component string            // also its namespace
	contexts  map[string]string // of clusters whose control plane has another name
	receivers notify.Receivers  // whom its workers tell what runs do
	metrics   string            // the address at which its workers serve metrics; "" for none
}

func newSite(t testing.TB, component string) *site {
	t.Helper()
	return newSiteOn(t, stack(t), component)
}

func newSiteOn(t testing.TB, stack *localtest.Stack, component string) *site {
	t.Helper()
	return newSiteOf(t, stack, component, filepath.Join(t.TempDir(), "ledger.db"))
}

// openLedger opens a ledger by its file or its database.
func openLedger(ctx context.Context, path string) (ledger.Ledger, error) {
	if postgres.IsURL(path) {
		return postgres.Open(ctx, path, true)
	}
	return sqlite.Open(ctx, path)
}

func newSiteOf(t testing.TB, stack *localtest.Stack, component, path string) *site {
	t.Helper()
	s := &site{
		t: t, stack: stack, path: path, files: t.TempDir(), component: component,
		dial: engine.DialOptions{Dir: stack.Dir, Namespace: newNamespace(t, stack, component)},
	}
	if err := os.CopyFS(s.files, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	s.edit("components.yaml", "COMPONENT", component)
	l, err := openLedger(t.Context(), s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.ledger = l
	s.engine = engine.New(l, func(ctx context.Context) (*engine.Server, error) {
		c, err := engine.Dial(ctx, s.dial)
		if err != nil {
			return nil, err
		}
		return c.Server(), nil
	}, engine.Options{})
	return s
}

// spare are the control planes that one test has at a time, and may stop.
var spare = func() chan string {
	all := make(chan string, 2)
	all <- "c"
	all <- "d"
	return all
}()

// newSiteOfOutages may stop what serves its cluster a, and nodes of it. Its test is parallel.
func newSiteOfOutages(t *testing.T, component string) *site {
	t.Helper()
	t.Parallel()
	control := <-spare
	t.Cleanup(func() { spare <- control })
	s := newSite(t, component)
	s.contexts = map[string]string{"a": control}
	s.edit("fleet.yaml", "spec: {group: canary}", "spec: {group: canary, context: "+control+"}")
	return s
}

// control is the name of a cluster's control plane in the stack.
func (s *site) control(cluster string) string { return cmp.Or(s.contexts[cluster], cluster) }

// stop ends a cluster's API server, until revive.
func (s *site) stop(cluster string) {
	s.t.Helper()
	s.stack.Run(s.t, "stop", "apiserver", "--cluster", s.control(cluster))
}

// newNamespace registers a namespace that workers can serve.
func newNamespace(t testing.TB, stack *localtest.Stack, name string) string {
	t.Helper()
	c, err := engine.Dial(t.Context(), engine.DialOptions{Dir: stack.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name = fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
	_, err = c.Client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // it is known everywhere some seconds later
		if err = worker.EnsureSearchAttributes(t.Context(), c.Client, name); err == nil {
			return name
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal(err)
	return ""
}

// edit replaces text in one of the test's documents.
func (s *site) edit(file, before, after string) {
	s.t.Helper()
	path := filepath.Join(s.files, file)
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(data), before) {
		s.t.Fatalf("%s does not have %q", file, before)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(data), before, after)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// declare adds a pipeline to the test's documents.
func (s *site) declare(name, spec string) {
	s.t.Helper()
	text := "apiVersion: sluice.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: " + name + "}\nspec:\n" + spec
	if err := os.WriteFile(filepath.Join(s.files, "pipeline-"+name+".yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// work starts a worker process. Kill ends it as a crash would.
func (s *site) work() (kill func()) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(self)
	receivers, err := json.Marshal(s.receivers)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), receiversEnv+"="+string(receivers),
		workerEnv+"="+strings.Join([]string{s.stack.Dir, s.stack.Kubeconfig, s.path, s.metrics, s.dial.Namespace}, ","))
	cmd.Stderr = os.Stderr
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	over := false
	kill = func() {
		if over {
			return
		}
		over = true
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		_ = lifeline.Close()
	}
	s.t.Cleanup(kill)
	return kill
}

// plan makes a plan of the test's component.
func (s *site) plan(version, pipeline string) *engine.Planned {
	s.t.Helper()
	p, err := s.engine.Plan(s.t.Context(), engine.PlanRequest{
		Files: engine.Files{Paths: []string{s.files}}, Component: s.component, Version: version, Pipeline: pipeline, By: "test",
	})
	if err != nil {
		s.t.Fatalf("cannot plan %s by %s: %v", version, pipeline, err)
	}
	return p
}

// start plans and starts, and returns the run's name. A run that the test leaves open is aborted.
func (s *site) start(version, pipeline string) string {
	s.t.Helper()
	p := s.plan(version, pipeline)
	if err := p.Refused(); err != nil {
		s.t.Fatalf("the plan of %s is refused: %v", version, err)
	}
	run, err := s.engine.Run(s.t.Context(), engine.RunRequest{Plan: p.Hash, By: "test", Reason: "a test"})
	if err != nil {
		s.t.Fatalf("cannot run %s: %v", version, err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, _ = s.engine.Command(ctx, run.Name, api.UpdateAbort, api.Command{Who: "test", Reason: "the test has failed"})
		}
	})
	return run.Name
}

// install brings version 1.0.0 everywhere.
func (s *site) install() {
	s.t.Helper()
	if end := s.ended(s.start("1.0.0", "install"), time.Minute); end.Phase != api.PhaseSucceeded {
		s.t.Fatalf("the installation ended %s: %+v", end.Phase, end)
	}
}

// tell gives a run a command, which must be accepted.
func (s *site) tell(run, command string, scope api.Scope) api.Answer {
	s.t.Helper()
	a, err := s.engine.Command(s.t.Context(), run, command, api.Command{Who: "test", Reason: "a test", Scope: scope})
	if err != nil {
		s.t.Fatalf("cannot %s %s: %v", command, run, err)
	}
	return a
}

// until waits until the run is as wanted, and fails the test where it is not in time.
func (s *site) until(run, what string, within time.Duration, met func(api.RunStatus) bool) api.RunStatus {
	s.t.Helper()
	deadline := time.Now().Add(patience * within)
	var last api.RunStatus
	var failed error
	for time.Now().Before(deadline) {
		view, err := s.engine.Status(s.t.Context(), run)
		failed = err
		if err == nil {
			last = view.RunStatus
			if met(last) {
				return last
			}
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(s.t.Context().Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s was not %s within %d times %s; it is %s, waits for %+v, stages %+v; last error %v; under way %v",
		run, what, patience, within, last.Phase, last.Waiting, last.Stages, failed, s.underWay(last))
	return last
}

// underWay lists the activities that the units of a run wait for, as Temporal has them.
func (s *site) underWay(run api.RunStatus) (all []string) {
	server, err := engine.Dial(s.t.Context(), s.dial)
	if err != nil {
		return []string{err.Error()}
	}
	defer server.Client.Close()
	for _, st := range run.Stages {
		for _, u := range st.Units {
			if u.Workflow == "" {
				continue
			}
			is, err := server.Client.DescribeWorkflowExecution(s.t.Context(), u.Workflow, "")
			if err != nil {
				return append(all, err.Error())
			}
			if u.Waiting != nil {
				all = append(all, fmt.Sprintf("%s waits for %+v", u.Workflow, *u.Waiting))
			}
			for _, a := range is.PendingActivities {
				all = append(all, fmt.Sprintf("%s %s %s attempt %d: %s", u.Workflow, a.ActivityType.GetName(), a.State, a.Attempt, a.LastFailure.GetMessage()))
			}
		}
	}
	return all
}

// ended waits until the run has ended.
func (s *site) ended(run string, within time.Duration) api.RunStatus {
	s.t.Helper()
	end := s.until(run, "ended", within, func(r api.RunStatus) bool { return r.Phase.Final() })
	s.keep(run)
	for _, st := range end.Stages {
		for _, u := range st.Units {
			if u.Workflow != "" {
				s.keep(u.Workflow)
			}
		}
	}
	return end
}

// report is everything that is known of a run; one that cannot be told in full fails the test.
func (s *site) report(run string) api.RunStatus {
	s.t.Helper()
	view, err := s.engine.Status(s.t.Context(), run)
	if err != nil || view.Note != "" {
		s.t.Fatalf("cannot tell all of run %s: %v, %s", run, err, view.Note)
	}
	return view.RunStatus
}

// soaking waits until a unit soaks: a batch is done and the next has not begun.
// soaking waits longer than most: controllers take a while to act again once their API server is back.
func (s *site) soaking(run string) {
	s.t.Helper()
	s.until(run, "soaking", 2*time.Minute, func(r api.RunStatus) bool {
		for _, st := range r.Stages {
			for _, u := range st.Units {
				if u.Phase == api.PhaseSoaking {
					return true
				}
			}
		}
		return false
	})
}

// idle is a DaemonSet that no node takes.
const idle = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: idle}
spec:
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec: {nodeSelector: {takes: nothing}, containers: [{name: idle, image: "registry.example/idle:1"}]}
`

// revive starts a cluster's API server, and waits until its controllers work again: the next test needs them.
func (s *site) revive(cluster string) {
	s.t.Helper()
	s.stack.Run(s.t, "start", "apiserver", "--cluster", s.control(cluster))
	// Controllers find a new API server watch by watch: one may act, and stand still a minute later. New ones see all of it.
	s.stack.Run(s.t, "stop", "controller-manager", "--cluster", s.control(cluster))
	s.stack.Run(s.t, "start", "controller-manager", "--cluster", s.control(cluster))
	path := filepath.Join(s.t.TempDir(), "idle.yaml")
	if err := os.WriteFile(path, []byte(idle), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.kubectl(cluster, "-n", "default", "create", "-f", path)
	defer s.kubectl(cluster, "-n", "default", "delete", "daemonset", "idle", "--wait=false")
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if s.kubectl(cluster, "-n", "default", "get", "daemonset", "idle", "-o", "jsonpath={.status.observedGeneration}") == "1" {
			return
		}
	}
	s.t.Errorf("no controller works in cluster %s, 3 minutes after its API server was started", cluster)
}

// reader reads a cluster without the engine.
func (s *site) reader(cluster string) *witness.Reader {
	s.t.Helper()
	r, err := witness.Open(s.stack.Kubeconfig, s.control(cluster))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) snapshot(cluster string) witness.Snapshot {
	s.t.Helper()
	snap, err := s.reader(cluster).Snapshot(s.t.Context(), s.component)
	if err != nil {
		s.t.Fatal(err)
	}
	return snap
}

// record watches the component's pods in a cluster from now on.
func (s *site) record(cluster string) *witness.Recorder {
	s.t.Helper()
	rec, err := s.reader(cluster).Record(s.t.Context(), s.component)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { rec.Stop() })
	return rec
}

// kubectl runs kubectl on a cluster.
func (s *site) kubectl(cluster string, args ...string) string {
	s.t.Helper()
	return s.stack.Run(s.t, append([]string{"kubectl", "--cluster", s.control(cluster)}, args...)...)
}

// once checks that every node got exactly one pod with the tag.
func once(t *testing.T, rec witness.Recording, tag string) {
	t.Helper()
	made := rec.Made(tag)
	if len(made) != nodes {
		t.Errorf("%d of %d nodes got a pod of %s: %v", len(made), nodes, tag, made)
	}
	for node, n := range made {
		if n != 1 {
			t.Errorf("node %s got %d pods of %s", node, n, tag)
		}
	}
}

// unitOf is a cluster's unit; the zero one before the run has laid its units out.
func unitOf(r api.RunStatus, cluster string) api.UnitStatus {
	for _, st := range r.Stages {
		for _, u := range st.Units {
			if u.Cluster == cluster {
				return u
			}
		}
	}
	return api.UnitStatus{}
}

// phaseOf is where a cluster's unit is; "" before the run has laid its units out.
func phaseOf(r api.RunStatus, cluster string) api.Phase { return unitOf(r, cluster).Phase }
