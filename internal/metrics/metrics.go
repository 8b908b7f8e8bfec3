// Package metrics is what a worker tells Prometheus: what it counts itself, and where the runs of its ledger are; what a server tells it:
// who asked for what, and how that was answered; and what an agent tells it: what the probes of its clusters have found. Every label has
// a bound, so that neither a large fleet nor a long life makes the page large. It decides nothing, and keeps nobody waiting.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice.dev/sluice/internal/api"
)

// Metrics are those of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	clusters *names
	requests *prometheus.CounterVec
	kept     *prometheus.CounterVec
	verdicts *prometheus.CounterVec
	temporal *temporal
}

// maxClusters is how many clusters have series of their own. Those that a process asks later share one.
const maxClusters = 500

// other is the value of a label that its bound has no room for.
const other = "other"

// New returns metrics of a process that has counted nothing yet.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), clusters: &names{most: maxClusters},
		requests: apiRequests.counter(), kept: apiKept.counter(), verdicts: checkVerdicts.counter(), temporal: newTemporal(),
	}
	m.registry.MustRegister(m.requests, m.kept, m.verdicts, m.temporal)
	return m
}

func (m *Metrics) gatherer() prometheus.Gatherer { return m.registry }

// Request counts a request to a cluster by what its API server answered; 0 where no answer came.
func (m *Metrics) Request(cluster string, status int) {
	m.requests.WithLabelValues(m.name(cluster), outcomeOf(status)).Inc()
}

// KeptBack adds up how long requests to a cluster waited for the budget that it is asked under.
func (m *Metrics) KeptBack(cluster string, waited time.Duration) {
	m.kept.WithLabelValues(m.name(cluster)).Add(waited.Seconds())
}

// Verdict counts what a check of a kind has found.
func (m *Metrics) Verdict(kind string, found api.Verdict) {
	m.verdicts.WithLabelValues(kind, string(found)).Inc()
}

// name is what a cluster is called. All of its series begin at 0 with its first: the first increase of a counter that was not
// there before is seen by no rate.
func (m *Metrics) name(cluster string) string {
	name, first := m.clusters.of(cluster)
	if first {
		m.kept.WithLabelValues(name)
		for _, outcome := range outcomes {
			m.requests.WithLabelValues(name, outcome)
		}
	}
	return name
}

// outcomes are what can come of a request.
var outcomes = []string{"unanswered", "throttled", "failed", "refused", "answered"}

func outcomeOf(status int) string {
	switch {
	case status == 0:
		return "unanswered"
	case status == http.StatusTooManyRequests:
		return "throttled"
	case status >= http.StatusInternalServerError:
		return "failed"
	case status >= http.StatusBadRequest:
		return "refused"
	}
	return "answered"
}
