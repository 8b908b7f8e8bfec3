// Package prober runs probes in clusters: controllers that serve ProbeConfigs and ProbeRuns. It makes runs by schedule, by event and by
// hand, one pod for each, takes their reports, folds results into what is known of a case, and says it upwards. It decides nothing about
// changes: whoever holds a release by a probe reads what is said here.
//
// Its writes stand under no Lease: a run has the name of its case, target and cause and a pod the name of its run, so that two who want
// one make one, and nothing is touched that a release moves.
package prober

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/probing"
)

// Options are what a prober needs.
type Options struct {
	// Say keeps what is said of a cluster, and sees that it arrives. What it returns an error for is said again.
	Say    func(ctx context.Context, s probing.Said) error
	URL    string // at which pods reach Reports: http://HOST:PORT
	Clock  clock.WithTicker
	Logger *slog.Logger
	// Settles is for how long after New a run that nobody has seen may be one of a cluster that is not looked at yet; default 1m.
	Settles time.Duration
	AtOnce  int // pods of runs at a time in a cluster, residents apart; default 20
}

// Bounds on what a cluster is made to do.
const (
	atOnce   = 20
	maxCases = 1000   // of a cluster
	maxWants = 10_000 // runs that events want, and that are not made yet
	maxKept  = 100    // runs of a case's schedule that stay once they are over; a case of nodes has up to 50 at a time
)

// Times that a run has beside its own.
const (
	startAllowance = 15 * time.Second // that the start of a pod may take of a run's time, on top of it
	beginWithin    = 2 * time.Minute  // after which a pod that has not begun never will
	pendMost       = 30 * time.Minute // after which a run that has found no room is given up
	lingers        = 2 * time.Second  // for how long a report that is under way is waited for
	keepUsual      = time.Hour
	keepLeast      = 15 * time.Minute // in which an event may be told again, which makes no other run of its name
)

// Prober runs the probes of clusters.
type Prober struct {
	Options

	began time.Time
	mu    sync.Mutex
	sites map[string]*site // by cluster
}

// New returns a prober. All options but Settles and AtOnce are required.
func New(o Options) *Prober {
	o.AtOnce, o.Settles, o.URL = cmp.Or(o.AtOnce, atOnce), cmp.Or(o.Settles, time.Minute), strings.TrimRight(o.URL, "/")
	return &Prober{Options: o, began: o.Clock.Now(), sites: map[string]*site{}}
}

// Controller is what is hung into the manager of each cluster.
func (p *Prober) Controller() control.Controller {
	return control.Controller{Name: "probes", Add: p.add}
}

// Reports takes the reports of pods.
func (p *Prober) Reports() http.Handler {
	return kuberhealthy.Handler(reports{p}, kuberhealthy.WithClock(p.Clock))
}

// Happened has the cases run that answer to a change in a cluster. It waits for nothing.
func (p *Prober) Happened(_ context.Context, cluster string, e probing.Event) {
	if s := p.at(cluster); s != nil {
		s.happened(e)
	}
}

func (p *Prober) at(cluster string) *site {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sites[cluster]
}

func (p *Prober) all() (all []*site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sites {
		all = append(all, s)
	}
	return all
}
