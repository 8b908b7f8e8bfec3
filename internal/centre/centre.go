// Package centre is the server's side of agents: it lets them in, hears that they are there, holds the records and blobs of their own
// clusters for them, and passes on the tasks of their site. An agent is known by its certificate, and reaches nothing of another site. It
// decides nothing about what is changed.
package centre

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rounds"
	"sluice.dev/sluice/internal/uplink"
)

// Sites says which clusters a site has: the installation's fleet.
type Sites interface {
	// Site returns the clusters of a site by name, with the contexts by which they are reached; none of one that the fleet has not.
	Site(ctx context.Context, name string) ([]uplink.Near, error)
}

// Temporal is where tasks come from.
type Temporal struct {
	workflowservice.WorkflowServiceClient
	Namespace string
}

// Options are what a centre is made of.
type Options struct {
	Ledger       Ledger
	Authority    *credential.Authority
	Sites        Sites
	Temporal     func(context.Context) (Temporal, error)
	Installation string        // of the ledger
	Build        string        // of this program
	Payloads     *payload.Ring // the keys of payloads at Temporal; nil: they are not encrypted there
	Clock        clock.WithTicker
	Logger       *slog.Logger
	Rate         float64            // connections that are taken up in a second; default 18
	StrangersFor time.Duration      // a connection lasts on which nobody says who he is; default 1 min
	PartWithin   time.Duration      // a part of a blob has to come or go; default 30 s
	Heard        func(probing.Said) // is told what probes found, once that is kept; nil: nobody is
}

const (
	connectionsPerSecond = 18 // taken up one by one: no second has more than 20
	maxStreams           = 64 // of one agent: it polls two queues, beats, and reads and writes beside
	maxMetadata          = 32 << 10
	endsWithin           = 10 * time.Second
	// A connection that says nothing is asked whether it is there, and taken for gone when it does not answer.
	askedAfter  = 30 * time.Second
	answerFor   = 15 * time.Second
	handshakeIn = 10 * time.Second
	partWithin  = 30 * time.Second
)

// Centre answers agents.
type Centre struct {
	Options
	seal   credential.Seal
	roster *roster
	blobs  *places
	plans  *places
	known  known
	bounds *bounds
	said   *gathering
}

// New returns a centre.
func New(o Options) *Centre {
	o.Rate, o.PartWithin = cmp.Or(o.Rate, connectionsPerSecond), cmp.Or(o.PartWithin, partWithin)
	o.StrangersFor = cmp.Or(o.StrangersFor, strangersFor)
	return &Centre{
		Options: o, seal: o.Authority.Seal(), bounds: newBounds(),
		blobs: newPlaces(blobPlaces), plans: newPlaces(planPlaces),
		roster: &roster{read: o.Ledger.ListAgents, clock: o.Clock},
		said:   &gathering{save: o.Ledger.SaveSaid, now: o.Clock.Now},
	}
}

// Serve answers at a listener until ctx ends, and then ends what it is answering.
func (c *Centre) Serve(ctx context.Context, listener net.Listener) error {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: c.Authority.Pool(),
		GetCertificate: c.certificate(),
	}
	server := grpc.NewServer(
		grpc.Creds(brief{credentials.NewTLS(config), c.StrangersFor}), grpc.InTapHandle(atTheDoor), grpc.ConnectionTimeout(handshakeIn),
		grpc.MaxRecvMsgSize(uplink.MaxMessage), grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxMetadata),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: askedAfter, Timeout: answerFor}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: answerFor, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(c.catchUnary, asTemporal, c.identifyUnary), grpc.ChainStreamInterceptor(c.catchStream, c.identifyStream),
	)
	c.register(server)
	workflowservice.RegisterWorkflowServiceServer(server, &tasks{centre: c})
	ended := make(chan error, 1)
	sweeping, stop := context.WithCancel(ctx)
	defer stop()
	go rounds.Keep(sweeping, c.Clock, sweepEvery, rounds.Trying(c.Logger, "cannot forget what probes found long ago", c.sweep))
	go func() {
		ended <- server.Serve(&paced{Listener: listener, ctx: ctx, pace: rate.NewLimiter(rate.Limit(c.Rate), 1)})
	}()
	select {
	case err := <-ended:
		return fault.Wrap(fault.Internal, err, "cannot serve agents at %s", listener.Addr())
	case <-ctx.Done():
	}
	// Polls would keep a graceful stop from ending: agents ask again elsewhere.
	late := time.AfterFunc(endsWithin, server.Stop)
	defer late.Stop()
	server.Stop()
	return nil
}

func (c *Centre) register(on grpc.ServiceRegistrar) {
	s := uplink.NewService()
	uplink.Handle(s, uplink.Enrol, c.enrol)
	uplink.Handle(s, uplink.Renew, c.renew)
	uplink.Handle(s, uplink.Beat, c.beat)
	c.handleRecords(s)
	s.Register(on)
}

// certificate makes the server's own, and a new one before it ends.
func (c *Centre) certificate() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var mu sync.Mutex
	var own *tls.Certificate
	var until time.Time
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		now := c.Clock.Now()
		if own == nil || now.After(until) {
			made, err := c.Authority.Server(now)
			if err != nil {
				return nil, err
			}
			own, until = &made, now.Add(credential.CertificateLives/2)
		}
		return own, nil
	}
}

// paced takes up connections one after the other, no faster than its pace: those of a whole fleet come back at once.
type paced struct {
	net.Listener
	ctx  context.Context
	pace *rate.Limiter
}

// Accept implements net.Listener.
func (p *paced) Accept() (net.Conn, error) {
	if err := p.pace.Wait(p.ctx); err != nil {
		return nil, net.ErrClosed
	}
	return p.Listener.Accept()
}

// Ledger is what is kept of agents, and of their clusters. It is wide because agents work as a worker beside the ledger does.
type Ledger interface {
	ledger.Agents
	Blob(ctx context.Context, digest string) ([]byte, error)
	PutBlob(ctx context.Context, data []byte) (string, error)
	Plan(ctx context.Context, hash string) (ledger.Plan, error)
	ledger.Deployments
	ledger.Writes
	ledger.PreImages
	ledger.Observations
	ledger.Fences
	ledger.Runs
	SaveBeat(ctx context.Context, b ledger.Beat) error
	SaveSaid(ctx context.Context, all []probing.Said, now time.Time) error
	SweepProbes(ctx context.Context, now time.Time) (int64, error)
	AddEntry(ctx context.Context, e ledger.Entry) error
}
