// Package checks holds the activities that measure checks, on workers of their own. What a check makes of what it sees is for
// internal/check to say; here it is found out what it is about, and what has been counted is kept in heartbeats.
package checks

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/step"
)

// Activities are the activities of checks. All fields are required.
type Activities struct {
	Clusters *kube.Pool
	Ledger   Records
	Measurer *check.Measurer
	Clock    clock.WithTicker
}

// Records are those that checks read: what a unit moves, and what the run has written elsewhere.
type Records interface {
	change.Past
	ListWrites(ctx context.Context, run, cluster string) ([]ledger.Write, error)
}

// Register has checks measured here.
func (a *Activities) Register(r serve.Registry) {
	serve.Handle(r, step.Ask, a.Ask)
	serve.Handle(r, step.Watch, a.Watch)
	serve.Handle(r, step.Attempt, a.Attempt)
	serve.Handle(r, step.RunCases, a.RunCases)
}

// Ask measures checks to their end. A cluster out of reach is fault.Unreachable: whoever asks waits for it.
func (a *Activities) Ask(ctx context.Context, req step.ChecksRequest) ([]api.Check, error) {
	return a.with(ctx, req, false, a.Measurer.Ask)
}

// Watch measures checks in the background until one does not pass. It waits for a cluster out of reach.
func (a *Activities) Watch(ctx context.Context, req step.ChecksRequest) ([]api.Check, error) {
	return a.with(ctx, req, true, a.Measurer.Watch)
}

type measured func(context.Context, check.Inquiry) ([]api.Check, error)

// with measures at the place of a request. Who is patient waits for a cluster out of reach, and counts on.
func (a *Activities) with(ctx context.Context, req step.ChecksRequest, patient bool, measure measured) ([]api.Check, error) {
	if req.Record != "" {
		if err := a.recorded(ctx, &req); err != nil {
			return nil, err
		}
	}
	i := check.Inquiry{Point: req.Point, Checks: req.Checks, Facts: req.Facts, Key: keyOf(ctx, req), Before: before(ctx, req)}
	say, hush := a.heart(ctx, i.Before)
	defer hush()
	counted := i.Before
	i.Say = func(now check.Tallies) { counted = now; say(now) }
	within, ended := ending(ctx)
	defer ended()
	found, err := a.there(within, req, i, measure)
	for patient && fault.CodeOf(err) == fault.Unreachable && within.Err() == nil {
		if err = a.reach(within, req.Context); err == nil {
			i.Before = counted
			found, err = a.there(within, req, i, measure)
		}
	}
	if err != nil && temporal.IsCanceledError(context.Cause(ctx)) {
		err = temporal.NewCanceledError(undecided(counted)) // somebody may go on with it
	}
	return found, err
}

// undecided are the tallies of steps that are still measured. What is decided was decided about what there was to look at.
func undecided(all check.Tallies) check.Tallies {
	open := check.Tallies{}
	for name, t := range all {
		if t.Verdict == "" {
			open[name] = t
		}
	}
	return open
}

// before is what was counted before: by an attempt before this one, else by another activity. What a version that said other things had
// counted counts for nothing.
func before(ctx context.Context, req step.ChecksRequest) (counted check.Tallies) {
	if activity.HasHeartbeatDetails(ctx) {
		if activity.GetHeartbeatDetails(ctx, &counted) == nil {
			return counted
		}
		return nil
	}
	if len(req.Before) > 0 && json.Unmarshal(req.Before, &counted) != nil {
		return nil
	}
	return counted
}

// ending is a context that says, where Temporal cancels the activity, that nobody will ask again.
func ending(ctx context.Context) (context.Context, func()) {
	within, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if temporal.IsCanceledError(cause) {
			cause = check.ErrOver
		}
		end(cause)
	})
	return within, func() { stop(); end(nil) }
}

// recorded fills in what a unit that has ended is looked at by.
func (a *Activities) recorded(ctx context.Context, req *step.ChecksRequest) error {
	var record step.UnitRecord
	if err := change.Load(ctx, a.Ledger, req.Record, &record); err != nil {
		return err
	}
	req.Workloads, req.Checks = record.Soaking, record.Watched
	if len(record.Soaking) > 0 {
		req.Facts.Unit, req.Facts.Change = record.Soaking[0].Unit, record.Soaking[0].Change
	}
	return nil
}

// keyOf is the same for every attempt of one activity, and for nothing else: checks that a person has asked for again are measured
// anew, and what was made for them before is not taken for theirs.
func keyOf(ctx context.Context, req step.ChecksRequest) string {
	path := req.Facts.Unit.Path
	if path == "" {
		path = req.Cluster
	}
	info := activity.GetInfo(ctx)
	return req.Run + "/" + path + "/" + info.WorkflowExecution.RunID + "/" + info.ActivityID
}

// beat is how often an activity that measures says that it is alive.
const beat = 5 * time.Second

// heart says what has been counted last with every heartbeat, until it is hushed.
func (a *Activities) heart(ctx context.Context, before check.Tallies) (say func(check.Tallies), hush func()) {
	var last atomic.Value
	last.Store(before)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := a.Clock.NewTicker(beat)
		defer ticker.Stop()
		for {
			activity.RecordHeartbeat(ctx, check.Spared(last.Load().(check.Tallies)))
			select {
			case <-ctx.Done():
				return
			case <-ticker.C():
			}
		}
	}()
	return func(now check.Tallies) { last.Store(now) }, func() { cancel(); <-done }
}
