package worker

import (
	"context"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/metrics"
)

// serveMetrics has Prometheus find the metrics, and returns what ends that. A worker of sites only leaves the ledger's state to those
// that serve the central queue: it would be read by every one of them.
func (o Options) serveMetrics(ctx context.Context, queue string) (end func(), err error) {
	if !o.SiteOnly {
		o.Metrics.Watch(metrics.State{Ledger: o.Ledger, Temporal: o.Client, Clock: clock.RealClock{}, Queue: queue, Log: o.Logger})
	}
	return metrics.Serve(ctx, o.MetricsAddress, metrics.Page(o.ready, append([]metrics.Source{o.Metrics}, o.Beside...)...), o.Logger)
}
