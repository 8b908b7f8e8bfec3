package kube

import (
	"context"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// behind is for how long a watch that does not show our own Lease yet is waited for before the Lease is read.
const behind = 2 * time.Second

// Guard tells one who writes under a Lease whether it is still theirs. It goes by a watch on the Lease: one request for any
// number of writes. What it has lost once stays lost. It is safe for concurrent use.
type Guard struct {
	c    *Cluster
	spec LeaseSpec
	end  context.CancelCauseFunc

	mu   sync.Mutex
	view *View[*unstructured.Unstructured]
	lost error
}

// GuardLease guards the Lease of a component. The context that it returns ends once a Check finds the Lease lost: whoever
// takes a conflict for somebody else's change, and goes on, does not go on for long.
func GuardLease(ctx context.Context, c *Cluster, spec LeaseSpec) (context.Context, *Guard) {
	ctx, end := context.WithCancelCause(ctx)
	return ctx, &Guard{c: c, spec: spec, end: end}
}

// Check is fault.Conflict where another run or installation has the Lease by now, or nobody, or where a later attempt of
// what is under way has begun. It is asked before every write.
func (g *Guard) Check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost != nil {
		return g.lost
	}
	err := g.check(ctx)
	if fault.CodeOf(err) == fault.Conflict {
		g.lost = err
		g.end(err)
	}
	return err
}

// Lost returns why the Lease was lost, nil where no Check has found that.
func (g *Guard) Lost() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lost
}

// Close ends the watch, unless somebody else needs it soon, and the context.
func (g *Guard) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.view != nil {
		g.view.Close()
	}
	g.end(nil)
}

func (g *Guard) check(ctx context.Context) error {
	if g.view == nil {
		g.view = watchLease(g.c, g.spec.Subject)
	}
	now, err := shown(ctx, g.view, g.spec.Subject)
	if err != nil {
		return err
	}
	if g.spec.has(now) {
		return g.spec.latest(g.c, now)
	}
	// The watch may still show what was there before we took it.
	if known := g.c.known(g.spec.Subject); known.stored != nil && g.spec.has(leaseOf(known.stored)) {
		if err := catchUp(ctx, g.c, g.view, known.stored); err != nil {
			return err
		}
		if now, err = shown(ctx, g.view, g.spec.Subject); err != nil {
			return err
		}
		if g.spec.has(now) {
			return g.spec.latest(g.c, now)
		}
	}
	if now, err = ReadLease(ctx, g.c, g.spec.Subject); err != nil {
		return err
	}
	if g.spec.has(now) {
		return g.spec.latest(g.c, now)
	}
	who := "nobody holds it"
	if now.Installation != "" {
		who = "installation " + now.Installation + " has it with fence " + strconv.FormatInt(now.Fence, 10) + " for run " + now.Run
	}
	return fault.New(fault.Conflict, "cannot write under the lease of component %s in cluster %s: %s, ours is %d for run %s",
		g.spec.Subject, g.c.context, who, g.spec.Fence, g.spec.Run)
}

// latest checks that nothing later has begun under a Lease that is ours.
func (s LeaseSpec) latest(c *Cluster, now Lease) error {
	if !s.Try.before(now.Try) {
		return nil
	}
	return fault.New(fault.Conflict,
		"cannot write under the lease of component %s in cluster %s: attempt %d of step %d has begun since, this is attempt %d of step %d",
		s.Subject, c.context, now.Try.Attempt, now.Try.Step, s.Try.Attempt, s.Try.Step)
}

// SeeLease returns what a watch on the Lease of a component shows, which may be behind by a moment; the zero Lease where there is
// none. The watch goes on for whoever guards the Lease next: the two take one request together.
func SeeLease(ctx context.Context, c *Cluster, subject api.Subject) (Lease, error) {
	view := watchLease(c, subject)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return Lease{}, err
	}
	if known := c.known(subject); known.stored != nil {
		if err := catchUp(ctx, c, view, known.stored); err != nil {
			return Lease{}, err
		}
	}
	object, ok := view.Get(LeaseNamespace, leaseName(subject))
	c.remember(subject, object)
	if !ok {
		return Lease{}, nil
	}
	return leaseOf(object), nil
}

func watchLease(c *Cluster, subject api.Subject) *View[*unstructured.Unstructured] {
	leases, _ := builtIn(leaseKind())
	only := Filter{Fields: "metadata.name=" + leaseName(subject)}
	selection := Selection{Resource: leases.Resource, Namespace: LeaseNamespace, Filter: only}
	return Watch(c, selection, func(object *unstructured.Unstructured, _ **unstructured.Unstructured) *unstructured.Unstructured {
		return object
	})
}

// shown is what a watch on a Lease shows now.
func shown(ctx context.Context, view *View[*unstructured.Unstructured], subject api.Subject) (Lease, error) {
	if err := view.Wait(ctx); err != nil {
		return Lease{}, err
	}
	object, ok := view.Get(LeaseNamespace, leaseName(subject))
	if !ok {
		return Lease{}, nil
	}
	return leaseOf(object), nil
}

// catchUp waits for a short time until a watch shows a Lease as this process has it. A server that was restored from a backup
// may never show it.
func catchUp(ctx context.Context, c *Cluster, view *View[*unstructured.Unstructured], stored *unstructured.Unstructured) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	late := c.clock.AfterFunc(behind, cancel)
	defer late.Stop()
	err := view.WaitFor(within, types.NamespacedName{Namespace: stored.GetNamespace(), Name: stored.GetName()}, stored.GetResourceVersion())
	if ctx.Err() == nil && within.Err() != nil {
		return nil
	}
	return err
}
