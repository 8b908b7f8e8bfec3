// Package worker is the composition root: it opens the ledger and the clusters, registers workflows and activities, and
// serves task queues until it is told to stop. It decides nothing.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/activities/runs"
	follow "sluice.dev/sluice/activities/sources"
	"sluice.dev/sluice/activities/store"
	"sluice.dev/sluice/internal/announce"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/following"
	"sluice.dev/sluice/internal/forgotten"
	"sluice.dev/sluice/internal/fuse"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/internal/serve"
	"sluice.dev/sluice/internal/vacate"
	"sluice.dev/sluice/workflows"
)

// Options are what a worker needs. Client, Ledger and Orders are required and stay the caller's to close.
type Options struct {
	Client      client.Client
	Namespace   string // of the client; where it is set, search attributes that it lacks are added
	Ledger      ledger.Ledger
	Orders      runs.Orders     // takes what a run is told too late to obey it: the engine
	Drills      runs.Drills     // begins and judges drills: the engine
	Follower    follow.Follower // follows repositories: the engine
	Kubeconfigs []string        // default $KUBECONFIG, else ~/.kube/config
	Sites       []string        // besides the central queue, serve the clusters of these sites
	Checking
	Receivers notify.Receivers // who is told what runs do, by the worker of the central queue
	// Suspects names what else had touched the clusters of a run that failed, for receivers; nil: nobody does
	Suspects func(ctx context.Context, run string) ([]string, error)
	// Places returns what says where a cluster is, for receivers that hear of some; nil: nobody knows
	Places         func(ctx context.Context) (func(cluster string) (plan.Place, bool), error)
	SiteOnly       bool // serve the sites only: an agent near its clusters
	UserAgent      string
	Build          string           // of this program, for those who ask which workers there are
	MetricsAddress string           // at which Metrics are served
	Beside         []metrics.Source // what else of this process is served there
	Logger         *slog.Logger
}

// Limits of one worker. A long activity waits on a watch and costs next to nothing, so many may be under way at once.
const (
	maxActivities    = 10_000          // or soaks would keep what disarms and takes back from beginning
	maxChecks        = 5_000           // apart from the others: checks never keep what moves from moving
	heartbeatWithin  = 5 * time.Second // for the SDK's own heartbeat, which says no more than that a cancel was heard
	drainWithin      = 10 * time.Second
	deadlockDetector = 5 * time.Second
)

// Run serves until ctx ends, then lets what is under way go: it is taken up by the next worker where it was. A queue that
// cannot be served any more, as its namespace is gone, ends it with an error: better no process than one that does nothing.
func Run(ctx context.Context, o Options) error {
	installation, err := o.Ledger.Installation(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the ledger's installation: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	clusters := kube.NewPool(kube.Options{Kubeconfigs: o.Kubeconfigs, UserAgent: o.UserAgent, Meter: o.meter()})
	defer clusters.Close()
	near := newNear(clusters, o.Ledger, clock.RealClock{}, installation, o.Checking)
	records := &store.Activities{Ledger: o.Ledger, Checks: near.changes.Checks, Clock: clock.RealClock{}}

	if o.Namespace != "" && !o.SiteOnly {
		if err := EnsureSearchAttributes(ctx, o.Client, o.Namespace); err != nil {
			o.Logger.Warn("runs start only where the namespace has Sluice's search attributes", "error", err)
		}
	}
	central := api.Queue(installation)
	crew := newCrew()
	alive := &heart{ledger: o.Ledger, clock: clock.RealClock{}, logger: o.Logger, beat: ledger.Beat{
		Worker: identity(), Build: o.Build, Queues: o.queues(central),
	}}
	silence := background(context.WithoutCancel(ctx), alive.keep)
	defer func() { // it beats as long as something may be under way
		drained := crew.stop()
		if silence(); drained {
			alive.end()
		}
	}()
	if o.Metrics != nil {
		end, err := o.serveMetrics(ctx, central)
		if err != nil {
			return err
		}
		defer end()
	}
	start := crew.starter(o.Client, o.Logger)
	if !o.SiteOnly {
		err := start(central, maxActivities, workflowsToo, func(w worker.Worker) {
			workflows.Register(w)
			others := &runs.Activities{Client: o.Client, Orders: o.Orders, Drills: o.Drills, Clock: clock.RealClock{}}
			registerCentral(w, near.changes, records, others, &follow.Activities{Follower: o.Follower, Clock: clock.RealClock{}})
		})
		if err != nil {
			return err
		}
		teller := &announce.Announcer{Ledger: o.Ledger, Temporal: o.Client, Clock: clock.RealClock{}}
		defer background(ctx, func(ctx context.Context) { teller.Keep(ctx, o.Logger) })()
		vacater := &vacate.Vacater{Ledger: o.Ledger, Temporal: o.Client, Clock: clock.RealClock{}}
		defer background(ctx, func(ctx context.Context) { vacater.Keep(ctx, o.Logger) })()
		lost := &forgotten.Watcher{Ledger: o.Ledger, Open: openRuns(o.Client, central), Clock: clock.RealClock{}, Logger: o.Logger}
		defer background(ctx, lost.Keep)()
		kept := &following.Keeper{Ledger: o.Ledger, Temporal: o.Client, Queue: central, Clock: clock.RealClock{}}
		defer background(ctx, func(ctx context.Context) { kept.Keep(ctx, o.Logger) })()
		fuses := &fuse.Watcher{Ledger: o.Ledger, Clock: clock.RealClock{}}
		defer background(ctx, func(ctx context.Context) { fuses.Keep(ctx, o.Logger) })()
		if len(o.Receivers) > 0 {
			told := &notify.Notifier{
				Ledger: o.Ledger, Phases: notify.Listed{Temporal: o.Client, Queue: central}, Receivers: o.Receivers, Clock: clock.RealClock{},
				Sender:   &notify.Sender{Secrets: secret.Environment(), Clock: clock.RealClock{}},
				Suspects: o.Suspects, Places: o.Places,
			}
			defer background(ctx, func(ctx context.Context) { told.Keep(ctx, o.Logger) })()
		}
		if err := start(api.ChecksQueue(central), maxChecks, activitiesAlone, func(w worker.Worker) { near.checks.Register(w) }); err != nil {
			return err
		}
	}
	for _, site := range o.Sites {
		if err := near.serve(start, api.SiteQueue(central, site)); err != nil {
			return err
		}
	}
	return crew.wait(ctx)
}

// openRuns lists the runs of an installation that Temporal executes.
func openRuns(temporal notify.Lister, queue string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		open, err := notify.Listed{Temporal: temporal, Queue: queue}.Open(ctx)
		return slices.Collect(maps.Keys(open)), err
	}
}

// queues are the task queues that are served, without those of checks beside them.
func (o Options) queues(central string) (all []string) {
	if !o.SiteOnly {
		all = append(all, central)
	}
	for _, site := range o.Sites {
		all = append(all, api.SiteQueue(central, site))
	}
	return all
}

// registerCentral registers every activity: the central queue has the work near clusters of no site too.
func registerCentral(
	r serve.Registry, near *cluster.Activities, records *store.Activities, others *runs.Activities, followed *follow.Activities,
) {
	near.Register(r)
	records.Register(r)
	others.Register(r)
	followed.Register(r)
}
