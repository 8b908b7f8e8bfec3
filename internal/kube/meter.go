package kube

import (
	"context"
	"net/http"
	"time"

	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

// Meter hears of the requests to clusters. It is called from many goroutines, and keeps the request waiting.
type Meter interface {
	// Request is told the status of an answer; 0 where there was none.
	Request(cluster string, status int)
	// KeptBack is told how long a request waited for the budget of its cluster.
	KeptBack(cluster string, waited time.Duration)
}

// metered tells a meter what came of requests.
type metered struct {
	next    http.RoundTripper
	cluster string
	meter   Meter
}

// RoundTrip passes on, and tells.
func (m *metered) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := m.next.RoundTrip(request)
	status := 0
	if err == nil {
		status = response.StatusCode
	}
	m.meter.Request(m.cluster, status)
	return response, err
}

// patience tells a meter how long a limiter kept requests back.
type patience struct {
	flowcontrol.RateLimiter
	cluster string
	meter   Meter
	clock   clock.PassiveClock
}

// Wait waits its turn, and tells.
func (p *patience) Wait(ctx context.Context) error {
	began := p.clock.Now()
	err := p.RateLimiter.Wait(ctx)
	p.meter.KeptBack(p.cluster, max(0, p.clock.Since(began)))
	return err
}
