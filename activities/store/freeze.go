package store

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/step"
)

// FreezeVersion keeps the version of a plan whose run goes back from being started again, anywhere, until somebody lifts the freeze.
// What a drill ran is to be run again. Where there are too many freezes already the audit says that there is none.
func (a *Activities) FreezeVersion(ctx context.Context, req step.FreezeVersionRequest) (string, error) {
	run, err := a.Ledger.Run(ctx, req.Run)
	if err != nil && fault.CodeOf(err) != fault.NotFound {
		return "", err
	}
	if run.Drill != "" {
		return "a drill's run freezes nothing", nil
	}
	_, p, err := planstore.Load(ctx, a.Ledger, req.Plan)
	if err != nil {
		return "", err
	}
	f := api.Freeze{
		Origin: api.FreezeRollback, Run: req.Run, Scope: api.FreezeScope{Component: p.Subject, Digest: p.Digest}, InFlight: api.PauseNow,
		By: req.By, Reason: req.Reason, Since: a.Clock.Now().UTC(),
	}
	made, err := a.Ledger.AddFreeze(ctx, f)
	f.Name = made.Name
	entry := ledger.EntryOf(f)
	if fault.CodeOf(err) == fault.Refused {
		entry.Object, entry.Outcome, err = req.Run, ledger.Refused+err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	return made.Name, a.Ledger.AddEntry(ctx, entry)
}
