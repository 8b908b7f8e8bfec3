package worker

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/worker/direct"
)

// TakeBack takes a run back from this process, with what a worker has but Temporal. Of the options it needs Ledger, Kubeconfigs and
// UserAgent.
func TakeBack(ctx context.Context, o Options, order direct.Order, said func(api.UnitStatus)) (api.RunStatus, error) {
	installation, err := o.Ledger.Installation(ctx)
	if err != nil {
		return api.RunStatus{}, fmt.Errorf("cannot read the ledger's installation: %w", err)
	}
	clusters := kube.NewPool(kube.Options{Kubeconfigs: o.Kubeconfigs, UserAgent: o.UserAgent})
	defer clusters.Close()
	rules := check.New()
	taker := direct.Taker{
		Near:    &cluster.Activities{Clusters: clusters, Ledger: o.Ledger, Checks: rules, Clock: clock.RealClock{}, Installation: installation},
		Records: &store.Activities{Ledger: o.Ledger, Checks: rules, Clock: clock.RealClock{}},
		Plans:   o.Ledger, Clock: clock.RealClock{}, Said: said,
	}
	return taker.TakeBack(ctx, order)
}
