package centre

import (
	"context"
	"slices"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/uplink"
)

// handleRecords answers what agents ask of the ledger. Each call is about clusters of the agent's site, or it is refused.
func (c *Centre) handleRecords(s *uplink.Service) {
	l := c.Ledger
	uplink.Handle(s, uplink.Plan, alone(c, c.plan))
	uplink.Handle(s, uplink.Run, alone(c, c.run))
	uplink.Handle(s, uplink.Overtaken, func(ctx context.Context, run string) (ledger.Run, error) {
		r, err := l.Overtaken(ctx, run)
		return named(r), err
	})
	uplink.Handle(s, uplink.ListRuns, func(ctx context.Context, asked uplink.RunsAsked) ([]ledger.Run, error) {
		if asked.Subject == (api.Subject{}) {
			return nil, fault.New(fault.Invalid, "agents ask for the runs of one component")
		}
		all, err := l.ListRuns(ctx, asked.Subject, asked.Limit)
		for i := range all {
			all[i] = named(all[i])
		}
		return all, err
	})
	uplink.Handle(s, uplink.Deployment, about(c, func(ctx context.Context, u uplink.Unit) (ledger.Deployment, error) {
		return shares(ctx, c, deployed)(l.Deployment(ctx, u.Cluster, u.Subject))
	}))
	uplink.Handle(s, uplink.PastDeployment, about(c, func(ctx context.Context, p uplink.PastAsked) (ledger.Deployment, error) {
		return shares(ctx, c, deployed)(l.PastDeployment(ctx, p.Cluster, p.Subject, p.Target))
	}))
	uplink.Handle(s, uplink.SaveDeployment, func(ctx context.Context, d ledger.Deployment) (uplink.None, error) {
		return c.save(ctx, d.Cluster, d.Objects, d, func() error { return l.SaveDeployment(ctx, d) })
	})
	uplink.Handle(s, uplink.RemoveDeployment, about(c, func(ctx context.Context, u uplink.Unit) (uplink.None, error) {
		return uplink.None{}, l.RemoveDeployment(ctx, u.Cluster, u.Subject, u.Run)
	}))
	uplink.Handle(s, uplink.ListWrites, about(c, func(ctx context.Context, u uplink.Unit) ([]ledger.Write, error) {
		return shares(ctx, c, written)(l.ListWrites(ctx, u.Run, u.Cluster))
	}))
	uplink.Handle(s, uplink.ListMade, about(c, func(ctx context.Context, u uplink.Unit) ([]ledger.Write, error) {
		return shares(ctx, c, written)(l.ListMade(ctx, u.Cluster, u.Subject))
	}))
	uplink.Handle(s, uplink.SaveWrite, func(ctx context.Context, w ledger.Write) (uplink.None, error) {
		return c.save(ctx, w.Cluster, w.Intent, w, func() error { return l.SaveWrite(ctx, w) })
	})
	uplink.Handle(s, uplink.ListPreImages, about(c, func(ctx context.Context, u uplink.Unit) ([]ledger.PreImage, error) {
		return shares(ctx, c, pictured)(l.ListPreImages(ctx, u.Run, u.Cluster, u.Subject))
	}))
	uplink.Handle(s, uplink.ListEraWrites, about(c, func(ctx context.Context, u uplink.Unit) ([]ledger.Write, error) {
		return shares(ctx, c, written)(l.ListEraWrites(ctx, u.Run, u.Cluster, u.Subject))
	}))
	uplink.Handle(s, uplink.SavePreImage, func(ctx context.Context, p ledger.PreImage) (uplink.None, error) {
		return c.save(ctx, p.Cluster, p.Image, p, func() error { return l.SavePreImage(ctx, p) })
	})
	uplink.Handle(s, uplink.EndPreImages, about(c, func(ctx context.Context, e uplink.EndAsked) (uplink.None, error) {
		return uplink.None{}, l.EndPreImages(ctx, e.Run, e.Cluster, e.Subject, e.By)
	}))
	uplink.Handle(s, uplink.NextFence, about(c, func(ctx context.Context, f uplink.FenceAsked) (int64, error) {
		return l.NextFence(ctx, f.Cluster, f.Subject, f.Floor)
	}))
	uplink.Handle(s, uplink.SaveObservation, func(ctx context.Context, o ledger.Observation) (uplink.None, error) {
		return c.save(ctx, o.Cluster, "", o, func() error { return l.SaveObservation(ctx, o) })
	})
	uplink.Handle(s, uplink.ListObservations, c.observations)
	uplink.Handle(s, uplink.ReportLate, c.late)
	uplink.Handle(s, uplink.Probes, c.probes)
	uplink.HandleBlobs(s, blobs{c}, c.PartWithin)
}

// near tells the clusters of the site of whoever calls from others.
func (c *Centre) near(ctx context.Context) (func(cluster string) bool, error) {
	all, err := c.Sites.Site(ctx, callerOf(ctx).Site)
	return func(cluster string) bool {
		return slices.ContainsFunc(all, func(n uplink.Near) bool { return n.Name == cluster })
	}, err
}

// own is fault.Unauthorized where a cluster is none of the site of whoever calls.
func (c *Centre) own(ctx context.Context, cluster string) error {
	near, err := c.near(ctx)
	if err != nil || near(cluster) {
		return err
	}
	who := callerOf(ctx)
	c.Logger.Warn("an agent asked for a cluster of another site", "agent", who.Name, "site", who.Site, "cluster", cluster)
	return fault.New(fault.Unauthorized, "agent %s is of site %s, which has no cluster %q", who.Name, who.Site, cluster)
}

// unitary is a request that is about a unit.
type unitary interface{ Of() uplink.Unit }

// about has a function answer only where a request is about a cluster of the site of whoever calls.
func about[Req unitary, Res any](c *Centre, do func(context.Context, Req) (Res, error)) func(context.Context, Req) (Res, error) {
	return func(ctx context.Context, req Req) (out Res, err error) {
		if err := c.own(ctx, req.Of().Cluster); err != nil {
			return out, err
		}
		return do(ctx, req)
	}
}

// maxRecord bounds a record, in bytes. What is larger is a blob.
const maxRecord = 256 << 10

// save keeps a record of a cluster. A blob that it names has to be the site's already: a record would let it be read.
func (c *Centre) save(ctx context.Context, cluster, digest string, record any, save func() error) (none uplink.None, err error) {
	if err := c.own(ctx, cluster); err != nil {
		return none, err
	}
	if digest != "" {
		if err := c.mayRead(ctx, digest); err != nil {
			return none, err
		}
	}
	data, err := encoded(record)
	if err != nil {
		return none, err
	}
	if len(data) > maxRecord {
		return none, fault.New(fault.Invalid, "a record of cluster %s has %d bytes, and may have %d", cluster, len(data), maxRecord)
	}
	if err := c.bounds.store(ctx, callerOf(ctx).Name, len(data)); err != nil {
		return none, err
	}
	return none, save()
}

func deployed(d ledger.Deployment) []string { return []string{d.Objects} }

func written(all []ledger.Write) (digests []string) {
	for _, w := range all {
		digests = append(digests, w.Intent)
	}
	return digests
}

func pictured(all []ledger.PreImage) (digests []string) {
	for _, p := range all {
		digests = append(digests, p.Image)
	}
	return digests
}

// shares has the site of whoever calls read the blobs that an answer names.
func shares[T any](ctx context.Context, c *Centre, digests func(T) []string) func(T, error) (T, error) {
	return func(answer T, err error) (T, error) {
		if err != nil {
			return answer, err
		}
		return answer, c.share(ctx, digests(answer))
	}
}

func (c *Centre) share(ctx context.Context, digests []string) error {
	digests = slices.DeleteFunc(digests, func(d string) bool { return d == "" })
	return c.known.share(ctx, c.Ledger, callerOf(ctx).Site, digests)
}

// named is a run without what it was asked for with.
func named(r ledger.Run) ledger.Run {
	r.By, r.Reason, r.Report, r.Request, r.Live = "", "", "", "", ""
	return r
}

// plan is the part of a plan that is about the site of whoever calls. It is fault.NotFound where none of it is.
func (c *Centre) plan(ctx context.Context, hash string) (out uplink.PlanOfSite, err error) {
	near, err := c.near(ctx)
	if err != nil {
		return out, err
	}
	stored, whole, err := planstore.Load(ctx, c.Ledger, hash)
	if err != nil {
		return out, err
	}
	part := whole.Near(near)
	if len(part.Places()) == 0 {
		return out, fault.New(fault.NotFound, "cannot find plan %s", hash)
	}
	if out.Body, err = plan.Encode(part); err != nil {
		return out, err
	}
	out.Plan = ledger.Plan{
		Hash: stored.Hash, Subject: stored.Subject, Version: stored.Version, Pipeline: stored.Pipeline, Created: stored.Created,
		Body: ledger.Digest(out.Body),
	}
	return out, c.share(ctx, part.Digests())
}

// run is a run that has something to do in the site of whoever calls.
func (c *Centre) run(ctx context.Context, name string) (out uplink.RunOfSite, err error) {
	near, err := c.near(ctx)
	if err != nil {
		return out, err
	}
	r, err := c.Ledger.Run(ctx, name)
	if err != nil {
		return out, err
	}
	_, whole, err := planstore.Load(ctx, c.Ledger, r.Plan)
	if err != nil {
		return out, err
	}
	part := whole.Near(near)
	if len(part.Places()) == 0 {
		return out, fault.New(fault.NotFound, "cannot find run %s", name)
	}
	out.Run = named(r)
	if r.Live == "" {
		return out, nil
	}
	var live plan.Live
	if err := change.Load(ctx, c.Ledger, r.Live, &live); err != nil {
		return out, err
	}
	out.Live, err = heldTo(whole.Namespaces(&live), part)
	return out, err
}

// heldTo is what was seen of the units of a plan, as far as it holds a run to namespaces: nothing where they are nil.
func heldTo(namespaces []string, part *plan.Plan) ([]byte, error) {
	if namespaces == nil {
		return nil, nil
	}
	var live plan.Live
	for _, u := range part.AllUnits() {
		live.Clusters = append(live.Clusters, plan.ClusterDiff{Cluster: u.Cluster, Beside: namespaces})
	}
	return encoded(live)
}

func (c *Centre) observations(ctx context.Context, subject api.Subject) ([]ledger.Observation, error) {
	near, err := c.near(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.Ledger.ListObservations(ctx, subject)
	return slices.DeleteFunc(all, func(o ledger.Observation) bool { return !near(o.Cluster) }), err
}
