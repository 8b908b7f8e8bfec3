package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// LeaseReference is the Lease of a component as the owner of what its runs make beside it, in LeaseNamespace: the garbage collector
// takes that away with the Lease. It is nil where there is none.
func LeaseReference(ctx context.Context, c *Cluster, subject api.Subject) (*metav1.OwnerReference, error) {
	object, err := c.lease(ctx, subject, true)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &metav1.OwnerReference{
		APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName(), UID: object.GetUID(),
	}, nil
}
