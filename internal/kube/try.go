package kube

import (
	"context"
	"fmt"

	"sluice.dev/sluice/internal/fault"
)

// leaseTry is the annotation of a Lease that says which attempt of which step has begun, where that is not the first.
const leaseTry = "sluice.dev/try"

// Try is an attempt of a step of the run that holds a Lease. Steps follow each other, each has attempts from 1 on. What is
// earlier writes nothing any more once what is later has begun. Its zero value is before every other.
type Try struct {
	Step    int64
	Attempt int64
}

func (t Try) before(other Try) bool {
	return t.Step < other.Step || t.Step == other.Step && t.Attempt < other.Attempt
}

func (t Try) String() string { return fmt.Sprintf("%d/%d", t.Step, t.Attempt) }

func tryOf(text string) Try {
	var t Try
	if _, err := fmt.Sscanf(text, "%d/%d", &t.Step, &t.Attempt); err != nil {
		return Try{}
	}
	return t
}

// BeginTry says in the Lease that a later attempt has begun, so that one that was only taken for dead hears of it wherever it
// runs. A first attempt has none before it, and says nothing: that takes no request. A Lease that is not the run's own is
// left alone: whoever writes under it asks its Guard. Where a still later one has begun it is fault.Conflict.
func BeginTry(ctx context.Context, c *Cluster, spec LeaseSpec) error {
	if spec.Try.Attempt < 2 {
		return nil
	}
	for attempt := 1; ; attempt++ {
		object, err := c.Get(ctx, leaseKind(), LeaseNamespace, leaseName(spec.Subject))
		if fault.CodeOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		now := leaseOf(object)
		if !spec.has(now) || now.Try == spec.Try {
			return nil
		}
		if err := spec.latest(c, now); err != nil {
			return err
		}
		annotations := object.GetAnnotations()
		annotations[leaseTry] = spec.Try.String()
		object.SetAnnotations(annotations)
		stored, err := c.Update(ctx, object)
		if err == nil {
			c.remember(spec.Subject, stored)
			return nil
		}
		if fault.CodeOf(err) != fault.Conflict || attempt == 4 {
			return err
		}
	}
}
