// Package world stands in for clusters and ledger: it answers the activities that workflows ask for in Temporal's test environment, over
// virtual time. Whoever uses it says what is special; everything else is answered as by a cluster in which all goes well. It is for tests
// of workflows and for scenarios, and no worker knows it.
package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/workflows"
	"sluice.dev/sluice/workflows/tell"
)

// World answers activities. What it is told to call, it calls one at a time, under Mu.
type World struct {
	Env   *testsuite.TestWorkflowEnvironment
	Mu    sync.Mutex
	Hears func(line string)                // what is asked, in order: "Prepare a"; nil where nobody listens
	Fails func(name, cluster string) error // makes an activity fail; nil where none does
	// Failures are the units of which was noted that they failed.
	Failures []step.FailureRequest
	// Nodes are the failures before which was asked what had happened to nodes.
	Nodes []step.NodesRequest

	answered map[string]bool
}

// New returns a world with every workflow and no activity yet: Answer has those that are special, Rest the others. Most is how much real
// time may pass in which nothing happens.
func New(most time.Duration) *World {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &World{Env: suite.NewTestWorkflowEnvironment(), answered: map[string]bool{}}
	w.Env.SetTestTimeout(most)
	workflows.Register(w.Env)
	return w
}

// Answer has the world do an activity. About says in few words what a request is about: the cluster, as a rule.
func Answer[In, Out any](w *World, a step.Activity[In, Out], about func(In) string, f func(In) (Out, error)) {
	name := a.Name()
	if w.answered[name] {
		return
	}
	w.answered[name] = true
	w.Env.RegisterActivityWithOptions(func(_ context.Context, in In) (Out, error) {
		w.Mu.Lock()
		defer w.Mu.Unlock()
		if err := w.Asked(name, about(in)); err != nil {
			var none Out
			return none, err
		}
		return f(in)
	}, activity.RegisterOptions{Name: name})
}

// Asked notes that an activity was asked for, and makes it fail where it is to. It is called under Mu.
func (w *World) Asked(name, about string) error {
	if w.Hears != nil {
		w.Hears(strings.TrimSpace(strings.TrimPrefix(name, "cluster.") + " " + about))
	}
	if w.Fails == nil {
		return nil
	}
	return Failed(w.Fails(name, about))
}

// Failed is an error as an activity returns it; nil for nil.
func Failed(err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewApplicationError(err.Error(), string(fault.CodeOf(err)))
}

// Rest answers every activity of a run that nothing was said about: what is asked for is there, and done at once. Batches, looks and
// checks are left to whoever uses the world.
func (w *World) Rest() {
	Answer(w, step.Acquire, OfRef, func(r step.Ref) (step.Ref, error) { r.Fence = 7; return r, nil })
	Answer(w, step.Apply, ofApply, func(step.ApplyRequest) (step.ApplyResult, error) { return step.ApplyResult{}, nil })
	Answer(w, step.Unapply, ofApply, func(step.ApplyRequest) (step.ApplyResult, error) { return step.ApplyResult{}, nil })
	Answer(w, step.Prepare, OfWorkload, State(true, false))
	Answer(w, step.Arm, OfWorkload, State(true, false))
	Answer(w, step.Disarm, OfWorkload, State(false, false))
	Answer(w, step.Finish, OfWorkload, State(false, false))
	Answer(w, step.Reachable, OfRef, noteOf[step.Ref])
	Answer(w, step.Prune, func(r step.PruneRequest) string { return r.Cluster }, func(r step.PruneRequest) (step.PruneResult, error) {
		return step.PruneResult{Pruned: r.Objects}, nil
	})
	Answer(w, step.Release, func(r step.ReleaseRequest) string { return r.Cluster + " " + string(r.Outcome) }, noteOf[step.ReleaseRequest])
	Answer(w, step.Tidy, nothing[step.TidyRequest], noteOf[step.TidyRequest])
	Answer(w, step.Closed, func(id string) string { return id }, noteOf[string])
	Answer(w, step.Enter, func(r step.EnterRequest) string { return r.Cluster }, func(step.EnterRequest) (permit.Admission, error) {
		return permit.Admission{}, nil
	})
	Answer(w, step.Trouble, func(r step.TroubleRequest) string { return r.Cluster }, noteOf[step.TroubleRequest])
	Answer(w, step.Unobserved, OfRef, noteOf[step.Ref])
	Answer(w, step.SaveRun, nothing[api.RunStatus], noteOf[api.RunStatus])
	aside(w, step.NoteFailure, func(r step.FailureRequest) step.Note { w.Failures = append(w.Failures, r); return "" })
	aside(w, step.SeeNodes, func(r step.NodesRequest) string { w.Nodes = append(w.Nodes, r); return "sha256:nodes" })
	Answer(w, step.FreezeVersion, nothing[step.FreezeVersionRequest], noteOf[step.FreezeVersionRequest])
	Answer(w, step.AddAudit, nothing[step.AuditRequest], noteOf[step.AuditRequest])
}

// aside answers what a unit does not wait for: it has no place in the order of what is asked.
func aside[In, Out any](w *World, a step.Activity[In, Out], f func(In) Out) {
	w.Env.RegisterActivityWithOptions(func(_ context.Context, in In) (Out, error) {
		w.Mu.Lock()
		defer w.Mu.Unlock()
		return f(in), nil
	}, activity.RegisterOptions{Name: a.Name()})
}

// State answers for a workload that is armed, or is not. Created is whether it was not there before.
func State(armed, created bool) func(step.WorkloadRequest) (goal.State, error) {
	return func(step.WorkloadRequest) (goal.State, error) {
		return goal.State{UID: "u", Revision: "new", Previous: "old", Armed: armed, Created: created}, nil
	}
}

// OfRef, OfWorkload and OfAdvance say what requests are about.
func OfRef(r step.Ref) string                  { return r.Cluster }
func OfWorkload(r step.WorkloadRequest) string { return r.Cluster }
func OfAdvance(r step.AdvanceRequest) string   { return r.Cluster + "/" + fmt.Sprint(r.Goal.Number) }
func ofApply(r step.ApplyRequest) string       { return r.Cluster }

// OfObserve says what a look in a soak is about.
func OfObserve(r step.ObserveRequest) string {
	if r.Record != "" {
		return r.Cluster + " at rest"
	}
	return OfAdvance(r.Workloads[len(r.Workloads)-1])
}

func noteOf[In any](In) (step.Note, error) { return "", nil }

func nothing[In any](In) string { return "" }

// Alone has no other run in the world: a unit tells the looks of others to end, of which there are none.
func (w *World) Alone() {
	about := mock.Anything
	none := errors.New("no such workflow")
	w.Env.OnSignalExternalWorkflow(about, about, about, tell.SignalOrder, about).Maybe().Return(none)
}

// Heard is what came of a command.
type Heard struct {
	Accepted bool
	Rejected error
	Answer   api.Answer
	Err      error
}

// Command asks the run for something once its virtual time has come, and calls heard with what is known of it, each time that is more.
func (w *World) Command(after time.Duration, name string, c api.Command, heard func(Heard)) {
	var h Heard
	w.Env.RegisterDelayedCallback(func() {
		w.Env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
			OnReject: func(err error) { h.Rejected = err; heard(h) },
			OnAccept: func() { h.Accepted = true; heard(h) },
			OnComplete: func(v any, err error) {
				h.Answer, _ = v.(api.Answer)
				h.Err = err
				heard(h)
			},
		}, c)
	}, after)
}
