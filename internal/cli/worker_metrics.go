package cli

import (
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/metrics"
)

// Measured is what a worker tells Prometheus, and at which address. The zero value is nothing.
type Measured struct {
	Metrics        *metrics.Metrics
	MetricsAddress string
	Beside         []metrics.Source // of the same process
}

// measured is what was asked for.
func (o *WorkerOptions) measured() Measured {
	if o.Metrics == "" {
		return Measured{}
	}
	return Measured{Metrics: metrics.New(), MetricsAddress: o.Metrics}
}

// ofTemporal is where Temporal's SDK counts; nil for nowhere.
func (m Measured) ofTemporal() client.MetricsHandler {
	if m.Metrics == nil {
		return nil
	}
	return m.Metrics.Temporal()
}
