package cli

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	"sluice.dev/sluice/internal/traces"
)

// What processes are called in traces.
const (
	workerService = "sluice-worker"
	serverService = "sluice-server"
	localService  = "sluice" // server and worker in one
)

// trace has a process send traces where its environment says so. One that cannot is told, and works all the same.
func (f *Factory) trace(ctx context.Context, service string, logger *slog.Logger) {
	t, err := traces.Open(ctx, traces.Options{
		Service: service, Version: f.Version, Getenv: f.Getenv, Clock: f.Clock, Logger: logger,
	})
	if err != nil {
		logger.Warn("no traces are sent; runs go on", "error", err)
		return
	}
	if f.traces = t; t.Endpoint() != "" {
		f.says([]string{fmt.Sprintf("sending traces to %s", t.Endpoint())})
	}
}

var w3cTrace = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceparent is the trace that a build system runs a job under, as its variable says; "" where that says none.
func traceparent(of string) string {
	if !w3cTrace.MatchString(of) {
		return ""
	}
	return of
}
