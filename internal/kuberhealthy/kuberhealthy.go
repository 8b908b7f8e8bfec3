// Package kuberhealthy takes the reports of probes over HTTP, as both major versions of Kuberhealthy do: the path of the reporting URL
// decides which of them. It knows neither pods nor clusters: whose report it is, and what becomes of it, is for Runs.
package kuberhealthy

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/probing"
)

// The paths, by which the versions are told apart. Version 3's client refuses another one.
const (
	PathV2 = "/externalCheckStatus"
	PathV3 = "/check"
)

// What a program is told by its environment.
const (
	EnvURL       = "KH_REPORTING_URL"
	EnvRun       = "KH_RUN_UUID"
	EnvDeadline  = "KH_CHECK_RUN_DEADLINE" // seconds since 1970
	EnvNamespace = "KH_POD_NAMESPACE"
)

// HeaderRun names the run that a report is of.
const HeaderRun = "kh-run-uuid"

// Path is where programs of a contract report to.
func Path(c probing.Contract) string {
	if c == probing.ContractV2 {
		return PathV2
	}
	return PathV3
}

// Runs knows the runs that reports are of. It has errors of internal/fault: NotFound where there is no such run, Conflict from Take where
// a report was taken before. Those that may pass are tried again within the request: programs seldom say a thing twice.
type Runs interface {
	Known(ctx context.Context, uuid string) (Known, error)
	// Owner is the run whose pod has an address for itself. Pods on the network of their node have none.
	Owner(ctx context.Context, address netip.Addr) (uuid string, err error)
	// Take keeps a result, and returns once it cannot be lost. It is within the bounds of internal/probing.
	Take(ctx context.Context, uuid string, r probing.Result, report Report) error
}

// Known is what there is to know of a run, to judge a report of it.
type Known struct {
	Deadline time.Time // zero: it has none
	Done     bool      // it takes no result any more
	Reported bool      // that is so since it has reported
	Resident bool      // it reports again and again, and is never late
}

// Report is how a result has come.
type Report struct {
	Contract probing.Contract
	Target   string // what it is about, where the program says so: a member, a tenant
	Seq      int64  // of a resident's: the later is the greater one; 0 where it says none
	Late     bool   // after the deadline, which version 2 lets pass
	Cut      bool   // it was more than is read
	Address  netip.Addr
}

// Option changes how reports are taken.
type Option func(*handler)

// WithClock has deadlines and patience go by a clock.
func WithClock(c clock.Clock) Option { return func(h *handler) { h.clock = c } }

// WithPatience is for how long what may pass is waited for within a request; default 20s, under the 30s of version 3's client.
func WithPatience(d time.Duration) Option { return func(h *handler) { h.patience = d } }

// WithBodyWithin is in which time a body has to come; default 10s.
func WithBodyWithin(d time.Duration) Option { return func(h *handler) { h.bodyWithin = d } }

// Handler takes reports at the paths of both versions. A GET finds out whether it is there, and takes nothing.
func Handler(runs Runs, options ...Option) http.Handler {
	h := &handler{
		runs: runs, clock: clock.RealClock{}, patience: 20 * time.Second, bodyWithin: 10 * time.Second, slots: make(chan struct{}, atOnce),
	}
	for _, o := range options {
		o(h)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(PathV2, h.v2)
	mux.HandleFunc(PathV3, h.v3)
	mux.HandleFunc("GET /{$}", here)
	return mux
}
