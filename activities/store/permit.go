package store

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// How often one that waits looks whether somebody has left, says that it is alive, and asks again all the same: to keep its turn, which is
// lost after permit.WaiterLives.
const (
	looksEvery = 2 * time.Second
	asksEvery  = permit.WaiterLives / 3
)

// Enter asks for a permit until it is given, refused, or something else is in the way than was known.
func (a *Activities) Enter(ctx context.Context, req step.EnterRequest) (permit.Admission, error) {
	p, err := a.permit(ctx, req.Ref, req.Holder)
	if err != nil {
		return permit.Admission{}, err
	}
	ticker := a.Clock.NewTicker(looksEvery)
	defer ticker.Stop()
	var asked time.Time
	var at int64
	for {
		revision, err := a.Ledger.PermitRevision(ctx)
		if err != nil {
			return permit.Admission{}, err
		}
		if now := a.Clock.Now().UTC(); revision != at || now.Sub(asked) >= asksEvery {
			limits, err := a.limits(ctx)
			if err != nil {
				return permit.Admission{}, err
			}
			said, err := a.Ledger.Enter(ctx, p, limits, now)
			if err != nil || said.Given() || said.Why != req.Known {
				return said, err
			}
			asked, at = now, revision
		}
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return permit.Admission{}, ctx.Err()
		case <-ticker.C():
		}
	}
}

// Trouble notes why a unit keeps others out.
func (a *Activities) Trouble(ctx context.Context, req step.TroubleRequest) (step.Note, error) {
	p, err := a.permit(ctx, req.Ref, req.Holder)
	if err != nil {
		return "", err
	}
	return req.Why, a.Ledger.Trouble(ctx, p, req.Why, a.Clock.Now().UTC())
}

func (a *Activities) permit(ctx context.Context, ref step.Ref, by permit.Holder) (permit.Permit, error) {
	p := permit.Permit{Run: ref.Run, Subject: ref.Subject, Cluster: ref.Cluster, Back: ref.Back, Holder: by}
	_, planned, err := planstore.Load(ctx, a.Ledger, ref.Plan)
	if err != nil {
		return p, err
	}
	if unit, _, found := planned.Unit(ref.Cluster); found {
		p.Domains = unit.Domains
	}
	return p, nil
}

func (a *Activities) limits(ctx context.Context) ([]permit.Limit, error) {
	kept, err := a.Ledger.ListKept(ctx, pipelines.KindLimit)
	if err != nil {
		return nil, err
	}
	all := make([]permit.Limit, len(kept))
	for i, k := range kept {
		var l pipelines.Limit
		if err := k.Read(&l); err != nil {
			return nil, err
		}
		all[i] = permit.LimitOf(&l)
	}
	return all, nil
}
