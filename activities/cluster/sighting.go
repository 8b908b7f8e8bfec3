package cluster

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines/rule"
)

// The ledger hears of what is seen at most every soonest, and where nothing changes every latest.
const (
	soonest = 2 * time.Second
	latest  = time.Minute
)

// sighting keeps the ledger's picture of a component in a cluster fresh without a write at every look.
type sighting struct {
	last ledger.Observation
}

// due reports whether the ledger is to hear what is seen now; it is told then.
func (s *sighting) due(now ledger.Observation) bool {
	age := now.Seen.Sub(s.last.Seen)
	before := s.last
	before.Seen = now.Seen
	if age < soonest || age < latest && before == now {
		return false
	}
	s.last = now
	return true
}

// observation is what the ledger keeps of what was seen.
func observation(req step.AdvanceRequest, f rule.Facts, armed bool, now time.Time) ledger.Observation {
	return ledger.Observation{
		Cluster: req.Cluster, Subject: req.Subject, Run: req.Run, Version: req.Version,
		NodeSet: f.Batch.NodeSet, Batch: int(f.Batch.Number), Updated: int(f.Workload.Updated), Desired: int(f.Workload.Desired),
		Armed: armed, Behind: strings.Join(f.Workload.Behind, ", "), Seen: now.UTC(),
	}
}

// observe tells the ledger. One that cannot be written keeps nobody from moving and
// judging: a later look tells it anew.
func (a *Activities) observe(ctx context.Context, o ledger.Observation) {
	if err := a.Ledger.SaveObservation(ctx, o); err != nil && ctx.Err() == nil {
		slog.WarnContext(ctx, "cannot keep what was seen", "cluster", o.Cluster, "component", o.Subject, "error", err)
	}
}

// observeArmed keeps in the ledger that a workload was armed or disarmed; what else was last seen stays.
func (a *Activities) observeArmed(ctx context.Context, ref step.Ref, armed bool) error {
	seen, err := a.Ledger.ListObservations(ctx, ref.Subject)
	if err != nil {
		return err
	}
	for _, o := range seen {
		if o.Cluster == ref.Cluster && o.Armed != armed {
			o.Armed, o.Seen, o.Unreachable = armed, a.Clock.Now().UTC(), false
			return a.Ledger.SaveObservation(ctx, o)
		}
	}
	return nil
}
