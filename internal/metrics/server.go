package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What a server counts.
var (
	serverRequests = family(ofServer, counter, "sluice_server_requests_total",
		"Requests to a server, by what was asked for and the class of the answer's status; other for what is not asked for by any name.",
		"operation", "class")
	serverTook = family(ofServer, histogram, "sluice_server_request_duration_seconds",
		"How long requests to a server took to be answered, but for those that watch.", "operation")
	serverWatchers = family(ofServer, gauge, "sluice_server_watchers",
		"Those who watch a run by a server.")
	serverRefused = family(ofServer, counter, "sluice_server_refused_total",
		"Requests of somebody who is not known: by no token, by one that is not accepted, or by no certificate.")
	serverDenied = family(ofServer, counter, "sluice_server_denied_total",
		"Rights that no binding gave to whoever asked a server for something, by right.", "right")
	serverHooks = family(ofServer, counter, "sluice_server_hooks_total",
		"Deliveries of forges to a server, by what came of them: taken, replayed, idle (no source is told), refused (not proven "+
			"to be the forge's), unread (too large, too slow or malformed) or failed (the secret could not be read).", "outcome")
	serverNudges = family(ofServer, counter, "sluice_server_nudges_total",
		"Times that a server had a source be looked at, as its forge told of something, by what came of it: done or failed.", "outcome")
	serverCertificate = family(ofServer, gauge, "sluice_server_certificate_expires_timestamp_seconds",
		"When the certificate ends by which a server is known; absent where it has none.")
)

// Server is what a server tells Prometheus. It is safe for concurrent use.
type Server struct {
	registry *prometheus.Registry
	known    *names
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	watchers prometheus.Gauge
	refused  prometheus.Counter
	denied   *prometheus.CounterVec
	hooks    *prometheus.CounterVec
	nudges   *prometheus.CounterVec
}

// What can come of a delivery.
const (
	HookTaken    = "taken"
	HookReplayed = "replayed"
	HookIdle     = "idle"
	HookRefused  = "refused"
	HookUnread   = "unread"
	HookFailed   = "failed"
)

// maxOperations is more than a server has.
const maxOperations = 200

// NewServer returns metrics of a server that nobody has asked yet.
func NewServer() *Server {
	s := &Server{
		registry: prometheus.NewRegistry(), known: &names{most: maxOperations},
		requests: serverRequests.counter(),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: serverTook.Name, Help: serverTook.Help, Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, serverTook.Labels),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{Name: serverWatchers.Name, Help: serverWatchers.Help}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: serverRefused.Name, Help: serverRefused.Help}),
		denied:   serverDenied.counter(),
		hooks:    serverHooks.counter(),
		nudges:   serverNudges.counter(),
	}
	s.registry.MustRegister(s.requests, s.took, s.watchers, s.refused, s.denied, s.hooks, s.nudges)
	for _, outcome := range []string{HookTaken, HookReplayed, HookIdle, HookRefused, HookUnread, HookFailed} {
		s.hooks.WithLabelValues(outcome)
	}
	for _, done := range []bool{true, false} {
		s.nudges.WithLabelValues(nudged(done))
	}
	return s
}

// Certificate has it be shown when a certificate ends. It is called once at most.
func (s *Server) Certificate(ends func() time.Time) {
	s.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: serverCertificate.Name, Help: serverCertificate.Help},
		func() float64 { return float64(ends().Unix()) },
	))
}

func (s *Server) gatherer() prometheus.Gatherer { return s.registry }

// Request counts a request for an operation, "" for none, that was answered with a status.
func (s *Server) Request(operation string, status int) {
	s.requests.WithLabelValues(s.name(operation), class(status)).Inc()
}

// Took adds up how long an answer took.
func (s *Server) Took(operation string, long time.Duration) {
	s.took.WithLabelValues(s.name(operation)).Observe(long.Seconds())
}

// Watches counts one more who watches, until the returned function is called.
func (s *Server) Watches() (ends func()) {
	s.watchers.Inc()
	return s.watchers.Dec
}

// Refused counts a request of somebody who is not known.
func (s *Server) Refused() { s.refused.Inc() }

// Denied counts a right that somebody has not.
func (s *Server) Denied(right string) { s.denied.WithLabelValues(right).Inc() }

// Hook counts a delivery of a forge, by what came of it.
func (s *Server) Hook(outcome string) { s.hooks.WithLabelValues(outcome).Inc() }

// Nudged counts a source that was told to be looked at, or could not be.
func (s *Server) Nudged(done bool) { s.nudges.WithLabelValues(nudged(done)).Inc() }

func nudged(done bool) string {
	if done {
		return "done"
	}
	return "failed"
}

// name is what an operation is called. All of its series begin at 0, as those of clusters do.
func (s *Server) name(operation string) string {
	if operation == "" {
		operation = other
	}
	name, first := s.known.of(operation)
	if first {
		for _, class := range []string{"2xx", "3xx", "4xx", "5xx"} {
			s.requests.WithLabelValues(name, class)
		}
	}
	return name
}

func class(status int) string {
	switch {
	case status >= http.StatusInternalServerError:
		return "5xx"
	case status >= http.StatusBadRequest:
		return "4xx"
	case status >= http.StatusMultipleChoices:
		return "3xx"
	}
	return "2xx"
}
