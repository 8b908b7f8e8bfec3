package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/occasion"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// say keeps what is said of probes.
type say = func(context.Context, probing.Said) error

// probes has an agent run the probes of its clusters, and what they say counted. Their reports are listened for at once, so that an address
// that is taken is no news of later; end ends that.
func probes(r cli.AgentRun, counted *metrics.Probes) (hang func(say) []control.Controller, end func(), err error) {
	listener, err := net.Listen("tcp", r.Probes.Listen)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "cannot take the reports of probes at %s", r.Probes.Listen)
	}
	var reports atomic.Pointer[http.Handler]
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if h := reports.Load(); h != nil {
				(*h).ServeHTTP(w, q)
				return
			}
			http.Error(w, "the agent has not begun yet", http.StatusServiceUnavailable) // clients come again
		}),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.Logger.Error("reports of probes are not taken any more", "error", err)
		}
	}()
	log.SetLogger(logr.FromSlogHandler(r.Logger.Handler())) // of caches, which are given none
	hang = func(say say) []control.Controller {
		p := prober.New(prober.Options{Say: counting(say, counted), URL: r.Probes.URL, Clock: clock.RealClock{}, Logger: r.Logger})
		h := p.Reports()
		reports.Store(&h)
		return []control.Controller{p.Controller(), {Name: "occasions", Add: func(cluster string, m manager.Manager) error {
			return occasion.Add(cluster, m, func(ctx context.Context, e probing.Event) { p.Happened(ctx, cluster, e) })
		}}}
	}
	return hang, func() { _ = server.Close() }, nil
}

// counting has what is said counted, once it is kept: what is not is said again.
func counting(kept say, counted *metrics.Probes) say {
	return func(ctx context.Context, s probing.Said) error {
		err := kept(ctx, s)
		if err == nil {
			counted.Said(s)
		}
		return err
	}
}
