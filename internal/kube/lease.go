package kube

import (
	"context"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// LeaseNamespace is where Sluice's Leases are; it is created with the first of them.
const LeaseNamespace = "sluice-system"

// The annotations of a component's Lease.
const (
	leaseRun    = "sluice.dev/run"
	leaseDigest = "sluice.dev/digest"
	leaseFence  = "sluice.dev/fence"
	leaseState  = "sluice.dev/state"
)

// The states of a Lease: a run is at work, or none is.
const (
	LeaseHeld = "held"
	LeaseFree = "free"
)

// LeaseSpec says for whom a component is locked in a cluster.
type LeaseSpec struct {
	Subject      api.Subject
	Installation string
	Run          string
	Digest       string // of the component version that the run brings
	Fence        int64  // rises with every run of the installation on this component and cluster
	Try          Try    // of the run, what writes; it does not make another Lease
}

// Lease is what a component's Lease said. Its zero value is a Lease that was not there.
type Lease struct {
	Installation string
	Run          string
	Digest       string // while held, what the run brings; while free, what runs there
	Fence        int64
	State        string
	Since        time.Time
	Try          Try // the latest that is known to have begun under this fence
}

// knownLease is a Lease as this process last read or wrote it. A write on what is out of date by then is refused by the API
// server, so that it only saves requests.
type knownLease struct {
	stored *unstructured.Unstructured
	at     time.Time
}

// knownFor is for how long a Lease that was read is taken without reading it again.
const knownFor = 5 * time.Second

// AcquireLease takes the Lease of a component for a run, and returns what it said before. It does not expire and is not
// renewed: a run that died is followed by one with a higher fence. Another installation's Lease, held or free, is
// fault.Conflict, and so is a fence that is not above the one there, unless it is this run's own.
func AcquireLease(ctx context.Context, c *Cluster, spec LeaseSpec) (Lease, error) {
	for attempt := 0; ; attempt++ {
		before, err := acquire(ctx, c, spec, attempt == 0)
		// Neither a refusal nor a write is left at what may have been out of date.
		if fault.CodeOf(err) == fault.Conflict && (attempt == 0 || attempt < 3 && isRace(err)) {
			continue
		}
		return before, err
	}
}

// ReadLease returns what the Lease of a component says; the zero Lease where there is none.
func ReadLease(ctx context.Context, c *Cluster, subject api.Subject) (Lease, error) {
	object, err := c.Get(ctx, leaseKind(), LeaseNamespace, leaseName(subject))
	if fault.CodeOf(err) == fault.NotFound {
		return Lease{}, nil
	}
	if err != nil {
		return Lease{}, err
	}
	c.remember(subject, object)
	return leaseOf(object), nil
}

// ReleaseLease marks the Lease free and writes the digest that runs now. A Lease that another installation, run or
// fence holds by now is left alone, and is fault.Conflict.
func ReleaseLease(ctx context.Context, c *Cluster, spec LeaseSpec, digest string) error {
	if known := c.known(spec.Subject); known.stored != nil && spec.has(leaseOf(known.stored)) {
		err := release(ctx, c, spec, known.stored, digest)
		if fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	object, err := c.Get(ctx, leaseKind(), LeaseNamespace, leaseName(spec.Subject))
	if err != nil {
		return err
	}
	now := leaseOf(object)
	if !spec.has(now) {
		return fault.New(fault.Conflict,
			"cannot release the lease of component %s in cluster %s: installation %s holds it with fence %d for run %s, ours is %d",
			spec.Subject, c.context, now.Installation, now.Fence, now.Run, spec.Fence)
	}
	return release(ctx, c, spec, object, digest)
}

func acquire(ctx context.Context, c *Cluster, spec LeaseSpec, first bool) (Lease, error) {
	object, err := c.lease(ctx, spec.Subject, first)
	if fault.CodeOf(err) == fault.NotFound {
		return Lease{}, createLease(ctx, c, spec)
	}
	if err != nil {
		return Lease{}, err
	}
	before := leaseOf(object)
	if err := before.refuses(c, spec); err != nil {
		return before, err
	}
	if before.State == LeaseHeld && before.Fence == spec.Fence && before.Digest == spec.Digest {
		c.remember(spec.Subject, object)
		return before, nil
	}
	object = object.DeepCopy()
	spec.writeTo(object, spec.Digest, LeaseHeld, c.clock.Now())
	stored, err := c.Update(ctx, object)
	if err != nil {
		return before, err
	}
	c.remember(spec.Subject, stored)
	return before, nil
}

func (l Lease) refuses(c *Cluster, spec LeaseSpec) error {
	what := "cannot take the lease of component " + spec.Subject.String() + " in cluster " + c.context
	switch {
	case l.Installation != "" && l.Installation != spec.Installation:
		return fault.New(fault.Conflict, "%s: installation %s has it since %s, run %s; this is installation %s",
			what, l.Installation, l.Since.UTC().Format(time.RFC3339), l.Run, spec.Installation)
	case spec.Fence > l.Fence, spec.Fence == l.Fence && spec.Run == l.Run:
		return nil
	}
	return fault.New(fault.Conflict, "%s: its fence %d (run %s) is not below ours, %d (run %s): the ledger was restored from a backup, "+
		"or a newer run has taken over; a person has to say which to trust",
		what, l.Fence, l.Run, spec.Fence, spec.Run)
}

func createLease(ctx context.Context, c *Cluster, spec LeaseSpec) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(leaseKind())
	object.SetNamespace(LeaseNamespace)
	object.SetName(leaseName(spec.Subject))
	object.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "sluice", "sluice.dev/component": spec.Subject.String()})
	spec.writeTo(object, spec.Digest, LeaseHeld, c.clock.Now())
	stored, err := c.Create(ctx, object)
	if fault.CodeOf(err) == fault.NotFound {
		namespace := &unstructured.Unstructured{}
		namespace.SetAPIVersion("v1")
		namespace.SetKind("Namespace")
		namespace.SetName(LeaseNamespace)
		if _, err := c.Create(ctx, namespace); err != nil && fault.CodeOf(err) != fault.Conflict {
			return err
		}
		stored, err = c.Create(ctx, object)
	}
	if err != nil {
		return err
	}
	c.remember(spec.Subject, stored)
	return nil
}

func release(ctx context.Context, c *Cluster, spec LeaseSpec, object *unstructured.Unstructured, digest string) error {
	if now := leaseOf(object); now.State == LeaseFree && now.Digest == digest {
		return nil
	}
	object = object.DeepCopy()
	spec.writeTo(object, digest, LeaseFree, c.clock.Now())
	stored, err := c.Update(ctx, object)
	if err != nil {
		return err
	}
	c.remember(spec.Subject, stored)
	return nil
}

// has reports whether a Lease is the one that was taken.
func (s LeaseSpec) has(l Lease) bool {
	return l.Installation == s.Installation && l.Run == s.Run && l.Fence == s.Fence
}

func (s LeaseSpec) writeTo(object *unstructured.Unstructured, digest, state string, now time.Time) {
	stamp := now.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	lease, _ := object.Object["spec"].(map[string]any)
	if lease == nil {
		lease = map[string]any{}
	}
	lease["holderIdentity"] = s.Installation
	lease["renewTime"] = stamp
	if leaseOf(object).Run != s.Run || lease["acquireTime"] == nil {
		lease["acquireTime"] = stamp
		transitions, _ := lease["leaseTransitions"].(int64)
		lease["leaseTransitions"] = transitions + 1
	}
	object.Object["spec"] = lease
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	if leaseOf(object).Fence != s.Fence {
		delete(annotations, leaseTry)
	}
	annotations[leaseRun] = s.Run
	annotations[leaseDigest] = digest
	annotations[leaseFence] = strconv.FormatInt(s.Fence, 10)
	annotations[leaseState] = state
	object.SetAnnotations(annotations)
}

// lease returns a component's Lease, as it was just read where that is enough.
func (c *Cluster) lease(ctx context.Context, subject api.Subject, asKnown bool) (*unstructured.Unstructured, error) {
	if known := c.known(subject); asKnown && known.stored != nil && c.clock.Since(known.at) < knownFor {
		return known.stored, nil
	}
	return c.Get(ctx, leaseKind(), LeaseNamespace, leaseName(subject))
}

func (c *Cluster) known(subject api.Subject) knownLease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leases[subject.String()]
}

func (c *Cluster) remember(subject api.Subject, stored *unstructured.Unstructured) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leases[subject.String()] = knownLease{stored: stored, at: c.clock.Now()}
}

func leaseOf(object *unstructured.Unstructured) Lease {
	annotations := object.GetAnnotations()
	fence, _ := strconv.ParseInt(annotations[leaseFence], 10, 64)
	holder, _, _ := unstructured.NestedString(object.Object, "spec", "holderIdentity")
	acquired, _, _ := unstructured.NestedString(object.Object, "spec", "acquireTime")
	since, err := time.Parse(time.RFC3339Nano, acquired)
	if err != nil {
		since = object.GetCreationTimestamp().Time
	}
	return Lease{
		Installation: holder, Run: annotations[leaseRun], Digest: annotations[leaseDigest],
		Fence: fence, State: annotations[leaseState], Since: since, Try: tryOf(annotations[leaseTry]),
	}
}

// isRace tells a write that another one overtook from a Lease that is not ours to take.
func isRace(err error) bool { return statusOf(err) != nil }

func leaseName(subject api.Subject) string { return "sluice-" + subject.String() }

func leaseKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}
}
