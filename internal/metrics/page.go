package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

// Source is what somebody counts: Metrics, Server or Probes.
type Source interface{ gatherer() prometheus.Gatherer }

// Ready reports whether a process can do what it is there for. The error is for whoever may reach the page: it says what does not answer,
// and no more.
type Ready func(context.Context) error

// Page serves what sources count, and what the process takes, under /metrics; under /healthz that the process serves; and under /readyz
// whether it is ready, else 503 and why not. It is nil for a process that always is.
func Page(ready Ready, of ...Source) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	all := prometheus.Gatherers{process}
	for _, s := range of {
		all = append(all, s.gatherer())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(all, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 9 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("GET /readyz", &readiness{ask: ready, clock: clock.RealClock{}, turn: make(chan struct{}, 1)})
	return mux
}

const (
	readyFor    = time.Second     // whoever asks within it hears the same
	readyWithin = 5 * time.Second // else it is not
)

// readiness asks once at a time whether a process is ready, however many want to know.
type readiness struct {
	ask   Ready
	clock clock.PassiveClock

	turn  chan struct{} // whoever asks holds it
	asked time.Time
	why   error // why it was not
}

// ServeHTTP says whether the process is ready.
func (r *readiness) ServeHTTP(w http.ResponseWriter, of *http.Request) {
	if err := r.look(of.Context()); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

func (r *readiness) look(ctx context.Context) error {
	if r.ask == nil {
		return nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !r.asked.IsZero() && r.clock.Since(r.asked) < readyFor {
		return r.why
	}
	// Whoever hangs up must not make it look unready to others.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
	defer stop()
	r.why = r.ask(ctx)
	r.asked = r.clock.Now()
	return r.why
}
