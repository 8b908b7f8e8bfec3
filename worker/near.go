package worker

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/metrics"
)

// Checking is what checks are measured with.
type Checking struct {
	Scripts     map[string]string // executables that checks may run here, by the name that they call them by
	ProberImage string            // that pods run which probe from inside clusters; "": none are made
	Metrics     *metrics.Metrics  // where is counted what clusters are asked and checks say; nil: nowhere
}

// meter hears of the requests to clusters; nil where nobody does.
func (c Checking) meter() kube.Meter {
	if c.Metrics == nil {
		return nil
	}
	return c.Metrics
}

// near is the work near clusters: changes of them, and checks.
type near struct {
	changes *cluster.Activities
	checks  *checks.Activities
}

func newNear(clusters *kube.Pool, records cluster.Records, now clock.WithTicker, installation string, c Checking) near {
	rules := check.New()
	measurer := check.NewMeasurer(now, rules.Rules, sources(c.Scripts, c.ProberImage))
	if c.Metrics != nil {
		rules.Heard, measurer.Heard = c.Metrics.Verdict, c.Metrics.Verdict
	}
	return near{
		changes: &cluster.Activities{Clusters: clusters, Ledger: records, Checks: rules, Clock: now, Installation: installation},
		checks:  &checks.Activities{Clusters: clusters, Ledger: records, Clock: now, Measurer: measurer},
	}
}

// work is what is done on a queue.
type work int

const (
	workflowsToo work = iota
	activitiesAlone
)

// starter starts the worker of a queue, with so many activities at once.
type starter func(queue string, slots int, of work, register func(worker.Worker)) error

// serve starts the workers of a queue near clusters.
func (n near) serve(start starter, queue string) error {
	if err := start(queue, maxActivities, activitiesAlone, func(w worker.Worker) { n.changes.Register(w) }); err != nil {
		return err
	}
	return start(api.ChecksQueue(queue), maxChecks, activitiesAlone, func(w worker.Worker) { n.checks.Register(w) })
}

// SiteOptions are what the work near the clusters of one site needs. All but those of Checking are required.
type SiteOptions struct {
	Client       client.Client
	Records      cluster.Records
	Clusters     *kube.Pool
	Clock        clock.WithTicker
	Installation string // of the ledger
	Site         string
	Checking
	Logger *slog.Logger
}

// RunSite does the tasks of one site until ctx ends, and then lets what is under way go. It knows neither the ledger nor Temporal but by
// what it is given.
func RunSite(ctx context.Context, o SiteOptions) error {
	near := newNear(o.Clusters, o.Records, o.Clock, o.Installation, o.Checking)
	crew := newCrew()
	defer crew.stop()
	if err := near.serve(crew.starter(o.Client, o.Logger), api.SiteQueue(api.Queue(o.Installation), o.Site)); err != nil {
		return err
	}
	return crew.wait(ctx)
}
