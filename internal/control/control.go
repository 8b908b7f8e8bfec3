// Package control runs controllers in clusters: one manager of controller-runtime for each cluster, for as long as it is among those that
// are wanted. A cluster that is away keeps its own manager from running, and no other one's.
package control

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"sluice.dev/sluice/internal/fault"
)

// Controller is something that watches a cluster and acts on what it sees.
type Controller struct {
	Name string
	// Add hangs it into the manager of a cluster, before that runs.
	Add func(cluster string, m manager.Manager) error
}

// Cluster is where controllers run.
type Cluster struct {
	Name   string
	Config func() (*rest.Config, error)
}

// Keeper runs the managers. Without a controller it runs none.
type Keeper struct {
	Controllers []Controller
	Clock       clock.Clock
	Logger      *slog.Logger

	mu      sync.Mutex
	running map[string]context.CancelFunc
	all     sync.WaitGroup
}

// again is how long a manager that has ended is left alone before it runs once more.
const again = 15 * time.Second

// endsWithin is how long a manager that is told to end is waited for.
const endsWithin = 10 * time.Second

// Want has the controllers run in some clusters and in no other ones, until ctx ends.
func (k *Keeper) Want(ctx context.Context, clusters []Cluster) {
	if len(k.Controllers) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil {
		k.running = map[string]context.CancelFunc{}
	}
	wanted := map[string]bool{}
	for _, c := range clusters {
		wanted[c.Name] = true
		if k.running[c.Name] != nil {
			continue
		}
		within, stop := context.WithCancel(ctx)
		k.running[c.Name] = stop
		k.all.Go(func() { k.keep(within, c) })
	}
	for _, name := range slices.Collect(maps.Keys(k.running)) {
		if !wanted[name] {
			k.running[name]()
			delete(k.running, name)
		}
	}
}

// Wait returns once all managers have ended, whose context has.
func (k *Keeper) Wait() { k.all.Wait() }

// keep runs the manager of a cluster again and again.
func (k *Keeper) keep(ctx context.Context, c Cluster) {
	for ctx.Err() == nil {
		if err := k.run(ctx, c); err != nil && ctx.Err() == nil {
			k.Logger.Warn("the controllers of a cluster have ended; they are begun again", "cluster", c.Name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-k.Clock.After(again):
		}
	}
}

func (k *Keeper) run(ctx context.Context, c Cluster) error {
	reached, err := c.Config()
	if err != nil {
		return err
	}
	within, twice := endsWithin, true
	m, err := manager.New(reached, manager.Options{
		Logger:                  logr.FromSlogHandler(k.Logger.With("cluster", c.Name).Handler()),
		Metrics:                 server.Options{BindAddress: "0"}, // the agent has its own page
		HealthProbeBindAddress:  "0",
		LeaderElection:          false, // an agent is one process, as the server sees to
		GracefulShutdownTimeout: &within,
		Controller:              config.Controller{SkipNameValidation: &twice}, // each cluster has one of the name
	})
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot run controllers in cluster %s", c.Name)
	}
	for _, controller := range k.Controllers {
		if err := controller.Add(c.Name, m); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot run controller %s in cluster %s", controller.Name, c.Name)
		}
	}
	return m.Start(ctx)
}
