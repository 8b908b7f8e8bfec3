package kube

import (
	"context"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// Guard tells one who writes under a Lease whether it is still theirs. While the Lease was read or written just now that takes
// no request; later it watches the Lease: one request for any number of writes.
type Guard struct {
	c    *Cluster
	spec LeaseSpec
	view *View[Lease]
}

// GuardLease guards the Lease of a component.
func GuardLease(c *Cluster, spec LeaseSpec) *Guard { return &Guard{c: c, spec: spec} }

// Check is fault.Conflict where another run or installation has the Lease by now, or nobody.
func (g *Guard) Check(ctx context.Context) error {
	if known := g.c.known(g.spec.Component); known.stored != nil && time.Since(known.at) < knownFor && g.spec.has(leaseOf(known.stored)) {
		return nil
	}
	if g.view == nil {
		leases, _ := builtIn(leaseKind())
		selection := Selection{Resource: leases.Resource, Namespace: LeaseNamespace, Filter: Filter{Fields: "metadata.name=" + leaseName(g.spec.Component)}}
		g.view = Watch(g.c, selection, func(object *unstructured.Unstructured, _ *Lease) Lease { return leaseOf(object) })
	}
	if err := g.view.Wait(ctx); err != nil {
		return err
	}
	now, _ := g.view.Get(LeaseNamespace, leaseName(g.spec.Component))
	if g.spec.has(now) {
		return nil
	}
	// The watch may still show what was there before we took it.
	now, err := ReadLease(ctx, g.c, g.spec.Component)
	if err != nil || g.spec.has(now) {
		return err
	}
	who := "nobody holds it"
	if now.Installation != "" {
		who = "installation " + now.Installation + " has it with fence " + strconv.FormatInt(now.Fence, 10) + " for run " + now.Run
	}
	return fault.New(fault.Conflict, "cannot write under the lease of component %s in cluster %s: %s, ours is %d for run %s",
		g.spec.Component, g.c.context, who, g.spec.Fence, g.spec.Run)
}

// Close ends the watch, unless somebody else needs it soon.
func (g *Guard) Close() {
	if g.view != nil {
		g.view.Close()
	}
}
