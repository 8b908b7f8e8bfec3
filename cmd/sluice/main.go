// Command sluice rolls changes through fleets of Kubernetes clusters.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/agent"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/demo"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/scenario"
	"sluice.dev/sluice/worker"
	"sluice.dev/sluice/worker/direct"
)

func main() {
	f := cli.System()
	f.Version = version()
	f.Worker = work
	f.Agent = dialIn
	f.Serve = serve
	f.Direct = takeBack
	f.Demo = play
	f.Test = test
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt asks what runs to end; the second one ends it.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Execute(ctx, os.Args[1:], f))
}

// serve answers over HTTP as the command line was told to.
func serve(ctx context.Context, r cli.ServerRun) error {
	return server.Run(ctx, server.Setup{
		Engine: r.Engine, Ledger: r.Ledger, Installation: r.Installation, Version: version(), Listen: r.Listen,
		Cert: r.Cert, Key: r.Key, Auth: r.Auth, Bindings: r.Bindings, Logger: r.Logger, Local: r.Local, Say: r.Say,
		Metrics: r.Metrics, Counts: r.Counts, Traces: r.Traces, Agents: r.Agents, AgentsDir: r.AgentsDir,
		Payloads: r.Payloads, Origins: r.Origins,
	})
}

// work runs a worker as the command line was told to.
func work(ctx context.Context, r cli.WorkerRun) error {
	return worker.Run(ctx, worker.Options{
		Client: r.Client, Namespace: r.Namespace, Ledger: r.Ledger, Orders: r.Engine, Drills: r.Engine, Follower: r.Engine,
		Kubeconfigs: r.Kubeconfigs, Sites: r.Sites, SiteOnly: r.SiteOnly,
		Checking:  worker.Checking{Scripts: r.Scripts, ProberImage: r.ProberImage, Metrics: r.Metrics},
		Receivers: r.Receivers, Suspects: r.Engine.Suspects, Places: r.Engine.Places,
		MetricsAddress: r.MetricsAddress, Beside: r.Beside,
		UserAgent: "sluice/" + version(), Build: version(), Logger: r.Logger,
	})
}

// dialIn is an agent as the command line was told to.
func dialIn(ctx context.Context, r cli.AgentRun) error {
	options := agent.Options{
		Server: r.Server, Dir: r.Dir, Invitation: r.Invitation, Kubeconfigs: r.Kubeconfigs, Build: version(), Clock: clock.RealClock{},
		Logger: r.Logger,
	}
	checking := worker.Checking{Scripts: r.Scripts, ProberImage: r.ProberImage, Metrics: r.Metrics}
	found := metrics.NewProbes(clock.RealClock{})
	if r.Metrics != nil {
		options.Meter, options.Metrics = r.Metrics, r.Metrics.Temporal()
		heard := &lately{}
		options.Heard = heard.now
		shown := []metrics.Source{r.Metrics}
		if r.Probes.URL != "" {
			shown = append(shown, found)
		}
		end, err := metrics.Serve(ctx, r.MetricsAddress, metrics.Page(heard.ready, shown...), r.Logger)
		if err != nil {
			return err
		}
		defer end()
	}
	if r.Probes.URL != "" {
		hang, end, err := probes(r, found)
		if err != nil {
			return err
		}
		defer end()
		options.Hang = hang
	}
	options.Work = func(ctx context.Context, w agent.Work) error {
		return worker.RunSite(ctx, worker.SiteOptions{
			Client: w.Temporal, Records: w.Records, Clusters: w.Clusters, Clock: w.Clock, Installation: w.Installation, Site: w.Site,
			Checking: checking, Logger: r.Logger,
		})
	}
	return agent.Run(ctx, options)
}

// lately is when the server has heard an agent last.
type lately struct{ at atomic.Int64 }

func (l *lately) now() { l.at.Store(time.Now().UnixNano()) }

// ready is why an agent is not.
func (l *lately) ready(context.Context) error {
	if time.Since(time.Unix(0, l.at.Load())) > ledger.AgentBeatsWithin {
		return errors.New("the server has not heard this agent lately")
	}
	return nil
}

// takeBack takes a run back without Temporal.
func takeBack(ctx context.Context, r cli.DirectRun) (api.RunStatus, error) {
	return worker.TakeBack(ctx, worker.Options{
		Ledger: r.Ledger, Kubeconfigs: r.Kubeconfigs, UserAgent: "sluice/" + version(),
	}, direct.Order{Run: r.Run, First: r.First, Clusters: r.Clusters}, r.Said)
}

// play plays the demo as the command line was told to.
func play(ctx context.Context, r cli.DemoRun) error {
	return demo.Run(ctx, demo.Options{
		Examples: r.Examples, Dir: r.Dir, Out: r.Report, Keep: r.Keep, Full: r.Full, Short: r.Short, Stdout: r.Out, Stderr: r.Err,
	})
}

// test plays a scenario.
func test(s cli.Scenario) (cli.Played, error) {
	read, err := scenario.Parse(s.Name, s.Data, s.Read)
	if err != nil {
		return cli.Played{}, err
	}
	p, err := read.Play(s.Library)
	if fault.CodeOf(err) == fault.Invalid {
		return cli.Played{}, err
	}
	return cli.Played{
		About: read.About, Decisions: p, Failed: err, Differs: scenario.Differs(read.Expected(), p), Updated: read.Updated(p),
	}, nil
}

// version is what the build says of itself: a tag, or the commit that it was made of.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
