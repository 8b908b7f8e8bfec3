package worker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/metrics"
)

// serveMetrics has Prometheus find the metrics, and returns what ends that. A worker of sites only leaves the ledger's state to those
// that serve the central queue: it would be read by every one of them.
func (o Options) serveMetrics(ctx context.Context, queue string) (end func(), err error) {
	if !o.SiteOnly {
		o.Metrics.Watch(metrics.State{Ledger: o.Ledger, Temporal: o.Client, Clock: clock.RealClock{}, Queue: queue, Log: o.Logger})
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.MetricsAddress)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot serve metrics at %s", o.MetricsAddress)
	}
	server := &http.Server{Handler: o.Metrics.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	o.Logger.Info("serving metrics", "address", listener.Addr().String())
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("metrics are served no more", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
