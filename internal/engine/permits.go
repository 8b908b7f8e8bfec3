package engine

import (
	"context"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// atPermit is where a unit stopped that was refused its permit.
var atPermit = pipelines.Point(step.Enter.Name())

// Permits lists which units change their clusters now or wait to, in the order in which they asked.
func (e *Engine) Permits(ctx context.Context) ([]permit.Permit, error) {
	return e.ledger.ListPermits(ctx)
}

// LetIn has a unit that waits for a permit, or was refused one, enter its cluster when it asks next, whatever holds it. It needs no
// Temporal. It is fault.NotFound where none is there, or is in, and fault.Invalid without a reason.
func (e *Engine) LetIn(ctx context.Context, run, cluster, by, reason string) (permit.Permit, error) {
	by = e.named(by)
	let, err := e.ledger.LetIn(ctx, run, cluster, ledger.Lift{By: by, Reason: reason, At: e.now()})
	if err != nil {
		return let, err
	}
	return let, e.audit(ctx, ledger.Entry{
		Who: by, Command: "let-in", Object: run, Scope: "cluster " + cluster, Reason: reason, Outcome: "accepted",
	})
}
