package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	fleet "sluice.dev/sluice/scenario/world"
)

// world is a world.World of which tests bend single things, and ask what was asked of it.
type world struct {
	*fleet.World
	mu       *sync.Mutex
	env      *testsuite.TestWorkflowEnvironment
	plan     step.RunPlan
	rules    plan.StageRules
	pods     int
	gates    *check.Runner
	log      []string                              // what was asked, in order: "Prepare a DaemonSet/x"
	facts    func(cluster string, f *rule.Facts)   // bends what is seen
	fails    func(name, cluster string) error      // makes an activity fail
	stalls   func(cluster string, number int) bool // a batch ends as stalled
	stuck    *api.Stuck                            // what every look finds
	bends    func(name, cluster string, seen *api.Facts)
	dead     func(name, cluster string) []goal.Behind // dead nodes, as an activity finds them
	reverts  func(req step.AdvanceRequest)            // of what goes back, all or a batch of it
	asks     func(req step.AdvanceRequest)            // of batches
	advances time.Duration                            // how long a batch takes
	saved    []api.RunStatus
	closed   error // how the run closed in Temporal; nil for completed
	audit    []step.AuditRequest
	frozen   api.Holds     // by freezes, as the run starts
	back     []api.Command // rollbacks that others were asked to start
	bad      []step.FreezeVersionRequest
	enters   func(step.EnterRequest) permit.Admission // nil: all are let in
	troubles []string                                 // what units said that they keep others out for
	records  []step.UnitRecord
	noBack   bool                                          // nothing was recorded before the run
	stays    string                                        // why a revert leaves a workload as it is
	kept     []string                                      // what a way back leaves in place
	applies  func(*step.DiffResult)                        // what a comparison finds to write
	measures func(step.ChecksRequest) ([]api.Check, error) // what measured checks find
	created  bool                                          // workloads were not there before it
	whole    bool                                          // and are planned to be created whole
}

func newWorld(t *testing.T, clusters ...string) *world {
	t.Helper()
	all := fleet.New(20 * time.Second)
	w := &world{World: all, mu: &all.Mu, env: all.Env, pods: 10, gates: check.New(), advances: 5 * time.Second}
	w.Hears = func(line string) { w.log = append(w.log, line) }
	w.Fails = func(name, cluster string) error {
		if w.fails == nil {
			return nil
		}
		return w.fails(name, cluster)
	}
	w.rules = plan.StageRules{
		NodeSets:       []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}},
		Batches:        []pipelines.Amount{{Value: 1}, {Value: 100, Percent: true}},
		MaxUnavailable: pipelines.Amount{Value: 1},
		Checks: []pipelines.ResolvedCheck{{
			Name: "ready", At: []pipelines.Point{pipelines.AfterBatch}, Enforcement: pipelines.Enforcing,
			Gates: []pipelines.ResolvedGate{{Name: "ready", CEL: "workload.restarts == 0"}},
		}},
	}
	g := plan.Group{MaxConcurrency: 1}
	for _, c := range clusters {
		g.Units = append(g.Units, plan.Unit{Path: "prod/" + c, Cluster: c, Group: "prod", WayBack: plan.WayBack{Version: "v1", Objects: "sha256:1"}})
	}
	w.plan = step.RunPlan{
		Subject: api.Component("agent"), Version: "v2", Pipeline: "p", OnFailure: pipelines.Pause, Rollback: pipelines.RollbackAuto,
		Stages: []step.RunStage{{Name: "production", Groups: []plan.Group{g}}},
	}
	w.register()
	return w
}

// batches is how a cluster of the world is divided.
func (w *world) batches() plan.Division {
	rules, whole := w.rules, ""
	if w.whole {
		rules, whole = rules.Whole(), plan.CreatedWhole
	}
	return plan.Division{Object: "DaemonSet/infra/agent", Whole: whole, NodeSets: []plan.NodeSetBatch{{Name: "all", Pods: w.pods, Batches: plan.Batches(rules.Batches, w.pods)}}}
}

// answer has the world do an activity.
func answer[In, Out any](w *world, a step.Activity[In, Out], about func(In) string, f func(In) (Out, error)) {
	fleet.Answer(w.World, a, about, f)
}

func (w *world) register() {
	state := func(armed bool) func(step.WorkloadRequest) (goal.State, error) {
		return func(r step.WorkloadRequest) (goal.State, error) { return fleet.State(armed, w.created)(r) }
	}
	answer(w, step.LoadRun, func(string) string { return "" }, func(string) (step.RunPlan, error) { return w.plan, nil })
	answer(w, step.LoadUnit, fleet.OfRef, w.loadUnit)
	answer(w, step.Diff, func(r step.DiffRequest) string { return r.Cluster }, func(r step.DiffRequest) (step.DiffResult, error) {
		work := w.batches()
		if w.dead != nil {
			work.Behind = w.dead(step.Diff.Name(), r.Cluster)
		}
		found := step.DiffResult{Cluster: plan.ClusterDiff{Cluster: r.Cluster, Workloads: []plan.Division{work}}, Before: true, Changes: "sha256:c"}
		if w.applies != nil {
			w.applies(&found)
		}
		return found, nil
	})
	answer(w, step.Apply, func(r step.ApplyRequest) string { return r.Cluster }, func(r step.ApplyRequest) (step.ApplyResult, error) {
		if !r.Back {
			return step.ApplyResult{}, nil
		}
		return step.ApplyResult{Kept: w.kept}, nil
	})
	answer(w, step.Unapply, func(r step.ApplyRequest) string { return r.Cluster }, func(step.ApplyRequest) (step.ApplyResult, error) { return step.ApplyResult{Kept: w.kept}, nil })
	answer(w, step.Prepare, fleet.OfWorkload, state(true))
	answer(w, step.Arm, fleet.OfWorkload, state(true))
	answer(w, step.Disarm, fleet.OfWorkload, state(false))
	answer(w, step.Finish, fleet.OfWorkload, state(false))
	answer(w, step.Advance, fleet.OfAdvance, w.look)
	answer(w, step.Look, fleet.OfAdvance, w.look)
	answer(w, step.Revert, fleet.OfAdvance, w.look)
	answer(w, step.Retreat, fleet.OfAdvance, w.look)
	answer(w, step.Observe, fleet.OfObserve, func(r step.ObserveRequest) (api.Facts, error) { return api.Facts{}, nil })
	answer(w, step.Tidy, func(step.TidyRequest) string { return "" }, func(r step.TidyRequest) (string, error) {
		for _, p := range r.Clusters {
			w.log = append(w.log, "tidied "+p.Cluster)
		}
		return "", nil
	})
	answer(w, step.SaveUnit, func(step.SaveUnitRequest) string { return "" }, func(r step.SaveUnitRequest) (string, error) {
		w.records = append(w.records, r.Record)
		return "sha256:u", nil
	})
	answer(w, step.SaveRun, func(api.RunStatus) string { return "" }, func(r api.RunStatus) (string, error) { w.saved = append(w.saved, r); return "", nil })
	answer(w, step.TakeBack, func(r step.TakeBackRequest) string { return r.Run }, func(r step.TakeBackRequest) (string, error) {
		w.back = append(w.back, r.Command)
		return "", nil
	})
	answer(w, step.FreezeVersion, func(step.FreezeVersionRequest) string { return "" }, func(r step.FreezeVersionRequest) (string, error) {
		w.bad = append(w.bad, r)
		return "freeze-1", nil
	})
	answer(w, step.Enter, func(r step.EnterRequest) string { return r.Cluster }, func(r step.EnterRequest) (permit.Admission, error) {
		if w.enters == nil {
			return permit.Admission{}, nil
		}
		return w.enters(r), nil
	})
	answer(w, step.Trouble, func(r step.TroubleRequest) string { return r.Cluster }, func(r step.TroubleRequest) (string, error) {
		w.troubles = append(w.troubles, r.Cluster+": "+r.Why)
		return "", nil
	})
	answer(w, step.AddAudit, func(step.AuditRequest) string { return "" }, func(r step.AuditRequest) (string, error) { w.audit = append(w.audit, r); return "", nil })
	answer(w, step.Evaluate, func(step.EvaluateRequest) string { return "" }, func(r step.EvaluateRequest) ([]api.Check, error) {
		return w.gates.Evaluate(context.Background(), r), nil
	})
	passes := func(r step.ChecksRequest) ([]api.Check, error) { return w.measures(r) }
	answer(w, step.Watch, func(r step.ChecksRequest) string { return r.Cluster }, passes)
	answer(w, step.Ask, func(r step.ChecksRequest) string { return strings.TrimSpace(r.Cluster + " " + string(r.Point)) }, passes)
	w.registerTasks()
	w.Rest()
	// A batch takes virtual time, during which it can be cancelled; a watch during a soak lasts until it is.
	w.env.OnActivity(step.Advance.Name(), mock.Anything, mock.Anything).AfterFn(func() time.Duration { return w.advances }).Return(
		func(_ context.Context, r step.AdvanceRequest) (api.Facts, error) {
			return w.seen(step.Advance.Name(), r)
		})
	w.env.OnActivity(step.Revert.Name(), mock.Anything, mock.Anything).AfterFn(func() time.Duration { return w.advances }).Return(
		func(_ context.Context, r step.AdvanceRequest) (api.Facts, error) {
			return w.seen(step.Revert.Name(), r)
		})
	w.env.OnActivity(step.Retreat.Name(), mock.Anything, mock.Anything).AfterFn(func() time.Duration { return w.advances }).Return(
		func(_ context.Context, r step.AdvanceRequest) (api.Facts, error) {
			return w.seen(step.Retreat.Name(), r)
		})
}

// looksOn has every look in a soak that nothing else is said about last for its time and find nothing.
func (w *world) looksOn() {
	var mu sync.Mutex
	var most time.Duration
	asked := mock.MatchedBy(func(r step.ObserveRequest) bool {
		mu.Lock()
		defer mu.Unlock()
		most = r.For
		return true
	})
	w.env.OnActivity(step.Observe.Name(), mock.Anything, asked).Maybe().AfterFn(func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return most
	}).Return(api.Facts{}, nil)
}

// sees says what a look in a soak finds, once, and after how long; looks are answered in the order in which this is said.
func (w *world) sees(cluster string, after time.Duration, found []api.Check, err error) {
	about := mock.MatchedBy(func(r step.ObserveRequest) bool { return r.Cluster == cluster })
	w.env.OnActivity(step.Observe.Name(), mock.Anything, about).Once().After(after).Return(func(_ context.Context, r step.ObserveRequest) (api.Facts, error) {
		w.note("Observe " + fleet.OfObserve(r))
		if err != nil {
			return api.Facts{}, temporal.NewNonRetryableApplicationError(err.Error(), string(fault.CodeOf(err)), nil)
		}
		return api.Facts{Checks: found}, nil
	})
}

// returns says after how long a cluster that is out of reach answers again.
func (w *world) returns(cluster string, after time.Duration) {
	about := mock.MatchedBy(func(r step.Ref) bool { return r.Cluster == cluster })
	w.env.OnActivity(step.Reachable.Name(), mock.Anything, about).Once().After(after).Return("", nil)
}

// at does something once its virtual time has come.
func (w *world) at(after time.Duration, do func()) {
	w.env.RegisterDelayedCallback(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		do()
	}, after)
}

// once fails an activity in a cluster a single time.
func (w *world) once(name, cluster string, err error) {
	failed := false
	w.fails = func(n, c string) error {
		if failed || n != name || c != cluster {
			return nil
		}
		failed = true
		return err
	}
}

// now is the run's status while it goes on.
func (w *world) now(t *testing.T) api.RunStatus {
	t.Helper()
	var out api.RunStatus
	v, err := w.env.QueryWorkflow(api.QueryStatus)
	if err == nil {
		err = v.Get(&out)
	}
	if err != nil {
		t.Error(err)
	}
	return out
}

func (w *world) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, line)
}

func (w *world) loadUnit(r step.Ref) (step.UnitPlan, error) {
	back := plan.WayBack{Version: "v1", Objects: "sha256:1", Target: "sha256:t1"}
	if w.noBack {
		back = plan.WayBack{}
	}
	u := step.UnitPlan{
		Unit: rule.Unit{Path: "prod/" + r.Cluster, Cluster: r.Cluster}, Change: rule.Change{Component: "agent", Version: "v2", Previous: "v1"},
		Rules: w.rules, WayBack: back, Rollback: w.plan.Rollback,
	}
	if r.Back {
		u.Rules, u.Change.Version = w.rules.Back(), "v1"
	}
	return u, nil
}

// seen is an activity that the mock answers: it is logged like the others.
func (w *world) seen(name string, r step.AdvanceRequest) (api.Facts, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Hears(strings.TrimPrefix(name, "cluster.") + " " + fleet.OfAdvance(r))
	if name == step.Advance.Name() && w.asks != nil {
		w.asks(r)
	}
	if (name == step.Revert.Name() || name == step.Retreat.Name()) && w.reverts != nil {
		w.reverts(r)
	}
	if w.fails != nil {
		if err := w.fails(name, r.Cluster); err != nil {
			return api.Facts{}, temporal.NewApplicationError(err.Error(), string(fault.CodeOf(err)))
		}
	}
	seen, err := w.look(r)
	if w.stalls != nil && name == step.Advance.Name() && w.stalls(r.Cluster, r.Goal.Number) {
		seen.Stalled = true
		seen.Checks = append(seen.Checks, api.Check{Name: api.Progress, At: "during", Verdict: api.Inconclusive, Message: "nothing got on"})
		seen.Stuck = &api.Stuck{Pods: []api.Pod{{Name: "agent-x", Reason: "ImagePullBackOff"}}}
	}
	if name == step.Revert.Name() {
		seen.Stays = w.stays
	}
	if w.dead != nil {
		seen.Behind = w.dead(name, r.Cluster)
	}
	if w.bends != nil {
		w.bends(name, r.Cluster, &seen)
	}
	return seen, err
}

func (w *world) look(r step.AdvanceRequest) (api.Facts, error) {
	n := int64(r.Target)
	f := rule.Facts{
		Workload: rule.Workload{Kind: "DaemonSet", Name: "agent", Desired: int64(w.pods), Updated: n, UpdatedReady: n},
		Batch:    rule.Batch{Number: int64(r.Goal.Number), Target: n, Total: int64(r.Total), Updated: n, UpdatedReady: n},
	}
	if w.facts != nil {
		w.facts(r.Cluster, &f)
	}
	return api.Facts{Facts: f, Stuck: w.stuck}, nil
}

// meet has the world answer what no test says anything else about.
func (w *world) meet() {
	w.looksOn()
	w.Alone()
}

// run plays a run to its end and returns how it ended.
func (w *world) run(t *testing.T) api.RunStatus {
	t.Helper()
	return w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops"})
}

func (w *world) play(t *testing.T, in api.RolloutInput) api.RunStatus {
	t.Helper()
	w.meet()
	w.env.SetStartWorkflowOptions(clientOptions(in.Run))
	w.env.ExecuteWorkflow(api.RolloutName, in)
	if !w.env.IsWorkflowCompleted() {
		t.Fatalf("the run did not end; asked so far:\n%s", strings.Join(w.asked(), "\n"))
	}
	var out api.RunStatus
	if w.closed = w.env.GetWorkflowError(); w.closed != nil {
		if !api.Ended(w.closed, &out) {
			t.Fatalf("the run failed: %v\n%s", w.closed, strings.Join(w.asked(), "\n"))
		}
		return out
	}
	if err := w.env.GetWorkflowResult(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

// command asks the run for something once its virtual time has come.
func (w *world) command(after time.Duration, name string, c api.Command) *heard {
	h := &heard{}
	if c.Who == "" {
		c.Who = "ops"
	}
	w.Command(after, name, c, func(now fleet.Heard) {
		h.accepted, h.rejected, h.answer, h.err = now.Accepted, now.Rejected, now.Answer, now.Err
	})
	return h
}

// heard is what came of a command.
type heard struct {
	accepted bool
	rejected error
	answer   api.Answer
	err      error
}

func unitPhases(r api.RunStatus) map[string]api.Phase {
	out := map[string]api.Phase{}
	for _, s := range r.Stages {
		for _, u := range s.Units {
			out[u.Cluster] = u.Phase
		}
	}
	return out
}
