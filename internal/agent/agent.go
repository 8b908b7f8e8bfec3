// Package agent is a program near clusters that dials in: it comes in by an invitation, keeps who it is, holds one connection to the
// server, says what it sees, and has the tasks of its site done. It never listens for the server, and keeps its credentials of clusters to
// itself.
package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rounds"
	"sluice.dev/sluice/internal/uplink"
)

// Options are what an agent needs.
type Options struct {
	Server      string   // host:port at which agents are let in
	Dir         string   // where it keeps who it is
	Invitation  string   // "" where it was let in before
	Kubeconfigs []string // with the contexts of its clusters; none: it runs in its cluster
	Build       string
	Clock       clock.WithTicker
	Logger      *slog.Logger
	Meter       kube.Meter            // hears of requests to clusters; nil: nobody does
	Metrics     client.MetricsHandler // of Temporal's SDK; nil: nothing is counted
	ComeBack    time.Duration         // over how long agents spread that have lost the server; default 12 s
	Within      func() (*rest.Config, error)
	// Hang returns the controllers that run in each cluster of the site; nil: none do. They say what probes found, which is kept on disk
	// before say returns, and told to the server as soon as it hears.
	Hang  func(say func(context.Context, probing.Said) error) []control.Controller
	Heard func() // is called each time that the server has heard the agent; nil: nobody asks
	// Work does the tasks of a site until ctx ends. It returns fault.Conflict where another process of the agent is there by then.
	Work func(ctx context.Context, w Work) error
}

// Work is what the tasks of a site are done with.
type Work struct {
	Temporal     client.Client
	Records      *Records
	Clusters     *kube.Pool
	Clock        clock.WithTicker // the server's time
	Installation string
	Site         string
}

// Bounds of what an agent does beside its tasks.
const (
	lookEvery   = time.Minute // at clusters
	lookWithin  = 20 * time.Second
	looksAtOnce = 16
	endWithin   = 3 * time.Second
)

// agent is one process of an agent.
type agent struct {
	*Options
	who      *keeper
	instance string
	host     string
	link     *grpc.ClientConn
	server   grpc.ClientConnInterface // the link, for calls that wait for it
	clusters *kube.Pool
	spool    *spool
	findings *findings
	ahead    *shifted

	mu    sync.Mutex
	stand uplink.Stand
	seen  []ledger.AgentCluster
}

// Run is an agent until ctx ends. It is fault.Unauthorized where the server does not let it in, and fault.Refused where its version is
// too old; whatever passes it waits for.
func Run(ctx context.Context, o Options) error {
	o.ComeBack, o.Within = cmp.Or(o.ComeBack, comeBackWithin), orWithin(o.Within)
	who, err := open(ctx, &o)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	a := &agent{Options: &o, who: who, instance: strings.ToLower(rand.Text()), host: host, ahead: &shifted{WithTicker: o.Clock}}
	if a.link, err = connect(o.Server, who, a.instance, o.ComeBack); err != nil {
		return err
	}
	defer func() { _ = a.link.Close() }()
	a.server = patient{a.link}
	if a.spool, err = openSpool(filepath.Join(o.Dir, spoolFile)); err != nil {
		return err
	}
	if a.findings, err = openFindings(filepath.Join(o.Dir, findingsFile)); err != nil {
		return err
	}
	pool := kube.Options{Kubeconfigs: o.Kubeconfigs, UserAgent: "sluice-agent/" + o.Build, Meter: o.Meter}
	if len(o.Kubeconfigs) == 0 {
		pool.Within = a.within
	}
	a.clusters = kube.NewPool(pool)
	defer a.clusters.Close()
	if err := a.arrive(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	defer a.leave()
	return a.work(ctx)
}

func orWithin(within func() (*rest.Config, error)) func() (*rest.Config, error) {
	if within == nil {
		return rest.InClusterConfig
	}
	return within
}

// arrive says that the agent is there until the server has heard it. Where another process of it is there already it waits until that one
// is gone.
func (a *agent) arrive(ctx context.Context) error {
	own, _ := a.who.now()
	said := ""
	for {
		err := a.beat(ctx, false)
		if err == nil {
			a.Logger.Info("the server knows that this agent is there", "agent", own.Agent, "site", own.Site, "server", a.Server)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		switch fault.CodeOf(err) {
		case fault.Unreachable: // so says a server too that is shown a certificate which is over
			if over := a.who.over(a.Clock.Now()); over != nil {
				return over
			}
		case fault.Unauthorized, fault.Refused, fault.Invalid:
			return fault.Wrap(fault.CodeOf(err), err, "cannot be agent %s at %s", own.Agent, a.Server)
		}
		if err.Error() != said {
			said = err.Error()
			a.Logger.Warn("this agent waits", "agent", own.Agent, "server", a.Server, "why", err)
		}
		if !pause(ctx, a.Clock, 5*time.Second) {
			return nil
		}
	}
}

func pause(ctx context.Context, c clock.Clock, d time.Duration) bool {
	select {
	case <-c.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// work does the tasks of the site, and beats beside them.
func (a *agent) work(ctx context.Context) error {
	a.mu.Lock()
	stand := a.stand
	a.mu.Unlock()
	own, _ := a.who.now()
	keys, err := ofSite(stand)
	if err != nil {
		return err
	}
	tasks, err := temporal(a.link, keys, stand.Namespace, "agent:"+own.Agent+"/"+a.instance[:6], a.Logger, a.Metrics)
	if err != nil {
		return err
	}
	defer tasks.Close()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return a.keep(ctx) })
	both.Go(func() error { return a.survey(ctx) })
	both.Go(func() error { return a.tell(ctx) })
	both.Go(func() error {
		err := a.Work(ctx, Work{
			Temporal: tasks, Records: &Records{server: a.server, link: a.link, spool: a.spool}, Clusters: a.clusters, Clock: a.ahead,
			Installation: stand.Installation, Site: stand.Site,
		})
		if err == nil {
			err = errEnded // the beats end with it
		}
		return err
	})
	if err := both.Wait(); !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

var errEnded = errors.New("ended")

// keep beats until ctx ends. It returns why the agent has to end.
func (a *agent) keep(ctx context.Context) (why error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rounds.Keep(ctx, a.Clock, ledger.AgentBeatEvery, func(ctx context.Context) {
		err := a.beat(ctx, false)
		if err == nil {
			err = a.renew(ctx)
		}
		if why = a.final(err); why != nil {
			stop()
			return
		}
		if err == nil {
			err = a.spool.send(ctx, a.server)
		}
		if err != nil && ctx.Err() == nil {
			a.Logger.Warn("the server does not hear this agent", "error", err)
		}
	})
	return why
}

// renew has a newer certificate where it is time, and one that could not be kept on disk kept.
func (a *agent) renew(ctx context.Context) error {
	if a.who.due(a.Clock.Now()) {
		if err := a.who.renew(ctx, a.server); err != nil {
			return err
		}
		a.Logger.Info("this agent has a newer certificate")
	}
	if err := a.who.keep(); err != nil {
		a.Logger.Error("this agent cannot keep its certificate, and may not be let in when it is started anew", "error", err)
	}
	return nil
}

// beat says that the agent is there, and hears where it stands.
func (a *agent) beat(ctx context.Context, ends bool) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	a.mu.Lock()
	seen := a.seen
	a.mu.Unlock()
	asked := a.Clock.Now()
	stand, err := uplink.Beat.Call(ctx, a.server, uplink.BeatRequest{
		Instance: a.instance, Host: a.host, Build: a.Build, Now: asked, Ends: ends, Clusters: seen,
	})
	if err != nil {
		return err
	}
	now := a.Clock.Now()
	a.ahead.set(stand.Now.Sub(asked.Add(now.Sub(asked) / 2)))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stand = stand
	if a.Heard != nil {
		a.Heard()
	}
	return nil
}

// leave says that the agent ends: another may come at once.
func (a *agent) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	if err := a.beat(ctx, true); err != nil {
		a.Logger.Warn("the server does not know that this agent has ended", "error", err)
	}
}

// survey looks at the clusters of the site until ctx ends, and says each time what it saw. It returns why the agent has to end.
func (a *agent) survey(ctx context.Context) (why error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hung := &control.Keeper{Clock: a.Clock, Logger: a.Logger}
	if a.Hang != nil {
		hung.Controllers = a.Hang(a.findings.add)
	}
	defer hung.Wait()
	defer stop() // before it waits
	rounds.Keep(ctx, a.Clock, lookEvery, func(ctx context.Context) {
		hung.Want(ctx, a.controlled())
		a.look(ctx)
		if why = a.final(a.beat(ctx, false)); why != nil {
			stop()
		}
	})
	return why
}

// final is an error after which an agent cannot go on; nil for any other.
func (a *agent) final(err error) error {
	switch fault.CodeOf(err) {
	case fault.Unauthorized, fault.Refused, fault.Conflict:
		return err
	case fault.Unreachable:
		return a.who.over(a.Clock.Now())
	}
	return nil
}

// controlled are the clusters of the site, for controllers.
func (a *agent) controlled() (all []control.Cluster) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.stand.Clusters {
		all = append(all, control.Cluster{Name: n.Name, Config: func() (*rest.Config, error) { return a.clusters.Config(n.Context) }})
	}
	return all
}

// look sees the clusters of the site.
func (a *agent) look(ctx context.Context) {
	a.mu.Lock()
	near := a.stand.Clusters
	a.mu.Unlock()
	seen := make([]ledger.AgentCluster, len(near))
	var all errgroup.Group
	all.SetLimit(looksAtOnce)
	for i, n := range near {
		all.Go(func() error {
			seen[i] = a.see(ctx, n)
			return nil
		})
	}
	_ = all.Wait() // none fails
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = seen
}

func (a *agent) see(ctx context.Context, n uplink.Near) ledger.AgentCluster {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	out := ledger.AgentCluster{Name: n.Name}
	c, err := a.clusters.Cluster(ctx, n.Context)
	if err == nil {
		var found kube.Census
		found, err = c.Census(ctx)
		out.UID, out.Version, out.Nodes, out.Pods, out.Zones = found.UID, found.Version, found.Nodes, found.Pods, found.Zones
	}
	if err != nil {
		out.Problem, out.Down = err.Error(), fault.CodeOf(err) == fault.Unreachable
	}
	return out
}

// within is the cluster that the agent runs in, where a context means that one: its site has no other.
func (a *agent) within(context string) (*rest.Config, error) {
	a.mu.Lock()
	near := a.stand.Clusters
	a.mu.Unlock()
	if len(near) != 1 || !slices.ContainsFunc(near, func(n uplink.Near) bool { return n.Context == context }) {
		return nil, fault.New(fault.Invalid, "cannot reach context %q: this agent runs in a cluster and has no kubeconfig, and its site has %d "+
			"clusters; give it a kubeconfig with a context for each", context, len(near))
	}
	config, err := a.Within()
	return config, fault.Wrap(fault.Invalid, err, "cannot reach the cluster that this agent runs in")
}

// shifted is a clock that is set by the server's: what is written down is in one order everywhere.
type shifted struct {
	clock.WithTicker
	by atomic.Int64
}

func (s *shifted) set(by time.Duration) {
	if by.Abs() < time.Second { // which is no more than the way takes
		by = 0
	}
	s.by.Store(int64(by))
}

// Now implements clock.PassiveClock.
func (s *shifted) Now() time.Time { return s.WithTicker.Now().Add(time.Duration(s.by.Load())) }

// Since implements clock.PassiveClock.
func (s *shifted) Since(t time.Time) time.Duration { return s.Now().Sub(t) }
