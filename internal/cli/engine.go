package cli

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/report"
)

// Engine is what commands ask: an engine.Engine on this machine, or one behind a server. It is as wide as the command line. What each
// method does, and which errors it returns, engine.Engine says.
type Engine interface {
	Plan(ctx context.Context, req engine.PlanRequest) (*engine.Planned, error)
	CatchUp(ctx context.Context, req engine.PlanRequest) (*engine.CatchUp, error)
	LoadPlan(ctx context.Context, hash string) (*engine.Planned, error)
	ShowPlan(ctx context.Context, hash string) (*engine.Planned, error)
	Plans(ctx context.Context, component string, limit int) ([]engine.ListedPlan, error)
	Text(ctx context.Context, digest string) (string, error)

	Run(ctx context.Context, req engine.RunRequest) (ledger.Run, error)
	Runs(ctx context.Context, q engine.RunsQuery) ([]engine.Listed, error)
	Status(ctx context.Context, run string) (engine.View, error)
	Why(ctx context.Context, run, about string) (engine.Explanation, error)
	Blame(ctx context.Context, view engine.View) ([]engine.Blame, error)
	Report(ctx context.Context, run string) (report.Facts, error)
	Scales(ctx context.Context, run string) (map[string]engine.Scale, error)
	Soaks(ctx context.Context, run string) (map[string]engine.Soaks, error)
	Page(ctx context.Context, run string) string
	Command(ctx context.Context, run, name string, c api.Command) (api.Answer, error)
	Settle(ctx context.Context, run, by, reason string) (engine.Settled, error)
	Reconcile(ctx context.Context, req engine.ReconcileRequest) (api.Reconciled, error)

	Freeze(ctx context.Context, f api.Freeze) (engine.Frozen, error)
	Unfreeze(ctx context.Context, name, by, reason string) (engine.Frozen, error)
	Freezes(ctx context.Context, lifted bool, limit int) ([]engine.KnownFreeze, error)
	Bypass(ctx context.Context, req engine.BypassRequest) (engine.LetPass, error)
	Permits(ctx context.Context) ([]permit.Permit, error)
	LetIn(ctx context.Context, run, cluster, by, reason string) (permit.Permit, error)

	Apply(ctx context.Context, req engine.ApplyRequest) ([]engine.Applied, error)
	Delete(ctx context.Context, kind, name, by, reason string) (ledger.Kept, error)
	Kept(ctx context.Context, kind string) ([]ledger.Kept, error)
	Sources(ctx context.Context) ([]engine.KeptSource, error)
	SyncSource(ctx context.Context, req engine.SyncRequest) (engine.Synced, error)
	StartDrill(ctx context.Context, req engine.DrillRequest) (engine.KeptDrill, error)
	StopDrill(ctx context.Context, req engine.DrillRequest) (bool, error)
	RunDrill(ctx context.Context, req engine.DrillRequest, wait bool) (api.Drilled, error)
	Drills(ctx context.Context) ([]engine.KeptDrill, error)
	Drilled(ctx context.Context, name string, limit int) ([]api.Drilled, error)

	RunProbes(ctx context.Context, req engine.ProbeRequest) ([]api.Probed, error)
	ProbeRun(ctx context.Context, id string) (api.Probed, error)

	Audit(ctx context.Context, object string, limit int) ([]ledger.Entry, error)
	Changes(ctx context.Context, name string, since time.Time) (engine.Changes, error)
	Clusters(ctx context.Context, component string) ([]engine.Cluster, error)
	Workers(ctx context.Context) ([]engine.Worker, error)
	Agents(ctx context.Context) ([]engine.Agent, error)
	RevokeAgent(ctx context.Context, agent, by, reason string) (ledger.Agent, error)
	Notices(ctx context.Context, receiver string, limit int) ([]ledger.Notice, error)

	Probes(ctx context.Context, q engine.ProbesQuery) ([]engine.KnownProbe, error)
	ProbeOutcomes(ctx context.Context, q engine.ProbesQuery, limit int) ([]ledger.ProbeOutcome, error)
	ExplainProbe(ctx context.Context, q engine.ProbesQuery) (engine.ProbeExplanation, error)
	CompareProbes(ctx context.Context, req engine.CompareRequest) (engine.Compared, error)
	ProbeNoise(ctx context.Context, probeCase string, weeks int) ([]ledger.ProbeNoise, error)
	LabelProbe(ctx context.Context, req engine.LabelRequest) (ledger.ProbeOutcome, error)
}
