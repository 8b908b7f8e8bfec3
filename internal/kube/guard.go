package kube

import (
	"context"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
)

// Guard tells one who writes under a Lease whether it is still theirs. It watches the Lease: one request for any number of
// writes.
type Guard struct {
	c    *Cluster
	spec LeaseSpec
	view *View[Lease]
}

// GuardLease begins to watch the Lease of a component.
func GuardLease(c *Cluster, spec LeaseSpec) *Guard {
	leases, _ := builtIn(leaseKind())
	selection := Selection{Resource: leases.Resource, Namespace: LeaseNamespace, Filter: Filter{Fields: "metadata.name=" + leaseName(spec.Component)}}
	return &Guard{c: c, spec: spec, view: Watch(c, selection, func(object *unstructured.Unstructured, _ *Lease) Lease { return leaseOf(object) })}
}

// Check is fault.Conflict where another run or installation has the Lease by now, or nobody.
func (g *Guard) Check(ctx context.Context) error {
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
func (g *Guard) Close() { g.view.Close() }
