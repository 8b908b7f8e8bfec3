package change

import (
	"context"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// Deployments is the records of one who ends a part. It is as wide as an end has outcomes: what runs is recorded, forgotten or
// left, and what was given back is marked.
type Deployments interface {
	Blobs
	Deployment(ctx context.Context, cluster string, subject api.Subject) (ledger.Deployment, error)
	SaveDeployment(ctx context.Context, d ledger.Deployment) error
	RemoveDeployment(ctx context.Context, cluster string, subject api.Subject, run string) error
	EndPreImages(ctx context.Context, run, cluster string, subject api.Subject, by string) error
}

// Agrees checks that what the records say runs is what the plan was made on, or for a rollback what it brought.
func Agrees(p Part, unit *plan.Unit, present ledger.Deployment) error {
	if present.Run == p.Run {
		return nil
	}
	if p.Back {
		if present.Target == unit.Target || present.Target == unit.WayBack.Target {
			return nil
		}
		return fault.New(fault.Conflict, "cannot take back run %s in cluster %s: run %s has brought version %s there since",
			p.BackOf, p.Cluster, present.Run, present.Version)
	}
	if present.Target == unit.WayBack.Target {
		return nil
	}
	return fault.New(fault.Conflict, "cannot start in cluster %s: run %s has brought version %s there since the plan was made; plan again",
		p.Cluster, present.Run, present.Version)
}

// Ending is how a part has ended.
type Ending struct {
	Part    Part
	Plan    string     // the plan's hash
	Unit    *plan.Unit // of the plan
	Outcome api.Phase
	Changes string // blob digest of its Set
}

// arrived reports whether what the part was to bring is there.
func (e Ending) arrived() bool {
	return e.Outcome == api.PhaseSucceeded && !e.Part.Back || e.Outcome == api.PhaseRolledBack && e.Part.Back
}

// Record keeps what runs now where the part went all the way, and returns its digest; "" where nothing runs.
func (e Ending) Record(ctx context.Context, records Deployments, now clock.PassiveClock) (string, error) {
	runs, err := e.record(ctx, records, now)
	if err != nil || e.Outcome != api.PhaseRolledBack {
		return runs, err
	}
	// What is there now is what was there before: what comes next has this for its pre-image.
	return runs, records.EndPreImages(ctx, e.Part.undone(), e.Part.Cluster, e.Part.Subject, e.Part.Run)
}

func (e Ending) record(ctx context.Context, records Deployments, now clock.PassiveClock) (string, error) {
	back := e.Unit.WayBack
	if !e.arrived() {
		present, err := records.Deployment(ctx, e.Part.Cluster, e.Part.Subject)
		if fault.CodeOf(err) == fault.NotFound {
			return "", nil
		}
		if err != nil || present.Run != e.Part.Run || e.Outcome != api.PhaseRolledBack {
			return present.Target, err
		}
		// The unit had been recorded as done, and was rolled back before its Lease was free.
		if !back.Exists() {
			return "", records.RemoveDeployment(ctx, e.Part.Cluster, e.Part.Subject, e.Part.Run)
		}
		return back.Target, records.SaveDeployment(ctx, e.deployment(back.Version, back.Target, back.Objects, now))
	}
	if e.Part.Back && !back.Exists() {
		return "", records.RemoveDeployment(ctx, e.Part.Cluster, e.Part.Subject, e.Part.Run)
	}
	var set Set
	if err := Load(ctx, records, e.Changes, &set); err != nil {
		return "", err
	}
	if err := records.SaveDeployment(ctx, e.deployment(set.Version, set.Target, set.Written, now)); err != nil {
		return "", err
	}
	return set.Target, nil
}

func (e Ending) deployment(version, target, objects string, now clock.PassiveClock) ledger.Deployment {
	return ledger.Deployment{
		Cluster: e.Part.Cluster, Subject: e.Part.Subject, Version: version, Target: target, Objects: objects,
		Run: e.Part.Run, Plan: e.Plan, Fence: e.Part.Fence, Since: now.Now().UTC(),
	}
}
