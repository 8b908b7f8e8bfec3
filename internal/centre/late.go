package centre

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

// maxReports bounds what one call reports.
const maxReports = 1000

// late takes what an agent could not report in its time. It is kept only where nothing newer is: others may have gone on meanwhile.
func (c *Centre) late(ctx context.Context, all []uplink.Report) (none uplink.None, err error) {
	if len(all) > maxReports {
		return none, fault.New(fault.Invalid, "%d reports in one call are more than %d", len(all), maxReports)
	}
	if err := c.bounds.report(ctx, callerOf(ctx).Name, len(all)); err != nil {
		return none, err
	}
	for _, r := range all {
		switch {
		case r.Write != nil:
			err = c.lateWrite(ctx, *r.Write)
		case r.Observation != nil:
			err = c.lateSighting(ctx, *r.Observation)
		}
		switch fault.CodeOf(err) {
		case fault.Unauthorized, fault.NotFound, fault.Invalid, fault.Conflict, fault.Refused:
			// Its cluster is of another site by now, or its blob was never the site's: it would not be taken at any time, and keeps no other back.
			c.Logger.Warn("a late report is not taken", "agent", callerOf(ctx).Name, "error", err)
			continue
		}
		if err != nil {
			return none, err
		}
	}
	return none, nil
}

// lateWrite keeps the outcome of a write whose intent is the last that is known, and has no outcome yet.
func (c *Centre) lateWrite(ctx context.Context, w ledger.Write) error {
	if err := c.own(ctx, w.Cluster); err != nil {
		return err
	}
	known, err := c.Ledger.ListWrites(ctx, w.Run, w.Cluster)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.Object == w.Object && k.Step == w.Step && k.Subject == w.Subject && k.Intent == w.Intent && k.ResourceVersion == "" {
			_, err := c.save(ctx, w.Cluster, w.Intent, w, func() error { return c.Ledger.SaveWrite(ctx, w) })
			return err
		}
	}
	return nil
}

func (c *Centre) lateSighting(ctx context.Context, o ledger.Observation) error {
	if err := c.own(ctx, o.Cluster); err != nil {
		return err
	}
	known, err := c.Ledger.ListObservations(ctx, o.Subject)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.Cluster == o.Cluster && !k.Seen.Before(o.Seen) {
			return nil
		}
	}
	_, err = c.save(ctx, o.Cluster, "", o, func() error { return c.Ledger.SaveObservation(ctx, o) })
	return err
}
