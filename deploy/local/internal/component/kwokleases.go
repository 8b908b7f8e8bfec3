package component

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const leaseWorkers = 8

// dropLeases deletes the node leases that an earlier process held. KWOK may
// look for a lease before its cache is filled; if the lease exists all the
// same, its node stays without a kubelet for a quarter of the lease's duration.
func dropLeases(ctx context.Context, typed kubernetes.Interface) error {
	leases := typed.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	list, err := leases.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("cannot list node leases: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(leaseWorkers)
	for _, lease := range list.Items {
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != kwokIdentity {
			continue
		}
		group.Go(func() error {
			err := leases.Delete(ctx, lease.Name, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("cannot delete node lease: %w", err)
			}
			return nil
		})
	}
	return group.Wait()
}
