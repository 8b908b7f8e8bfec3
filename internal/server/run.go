package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/centre"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// Setup is what a server that runs is told.
type Setup struct {
	Engine       *engine.Engine // which takes names as they are given
	Ledger       Ledger
	Installation string
	Version      string
	Listen       string // ADDRESS:PORT
	Cert, Key    string // files; "" for plain HTTP, on this machine alone
	Auth         *authn.Config
	Bindings     []*pipelines.Binding
	Logger       *slog.Logger
	Agents       string          // ADDRESS:PORT at which agents are let in; "" for nowhere
	AgentsDir    string          // the folder of the authority that signs their certificates
	Metrics      string          // ADDRESS:PORT at which Prometheus finds what it counts; "" for nowhere
	Counts       *metrics.Server // where it counts, if that is served by somebody else; nil: by itself
	Traces       *traces.Traces
	Payloads     *payload.Ring // the keys of payloads; nil: they are not encrypted
	Origins      []string      // of pages that may have payloads decoded: Temporal's UI
	// Local hears where the server of a local stack is, and the token that it wants; nil: the server knows who asks.
	Local func(url, token string) error
	// Say hears what is served, trusted and refused, once the server is there.
	Say func(lines []string)
}

// Ledger is the part of a ledger that a server uses itself. It is as wide as requests, tokens and agents are.
type Ledger interface {
	Requests
	Tokens
	centre.Ledger
	Invitations
}

// collectAt is by how many percent what a server has in memory may grow before it is collected: most of that are requests that have ended,
// and those who only watch keep little. Whoever sets GOGC knows better.
const collectAt = 50

// Run serves until ctx ends.
func Run(ctx context.Context, s Setup) error {
	options := Options{
		Hooks:  HooksOf(s.Engine),
		Engine: s.Engine, Requests: s.Ledger, Installation: s.Installation, Version: s.Version, Clock: clock.RealClock{}, Logger: s.Logger,
		Traces: s.Traces, Payloads: s.Payloads, Origins: s.Origins,
	}
	if err := checkOrigins(s.Origins); err != nil {
		return err
	}
	options.Ready = func(ctx context.Context) error {
		_, err := s.Engine.Kept(ctx, pipelines.KindBinding)
		return err
	}
	if options.Metrics = s.Counts; options.Metrics == nil {
		options.Metrics = metrics.NewServer()
	}
	if s.Metrics != "" {
		ready := func(ctx context.Context) error {
			if options.Ready(ctx) != nil {
				return errors.New("no answer from the ledger")
			}
			return nil
		}
		end, err := metrics.Serve(ctx, s.Metrics, metrics.Page(ready, options.Metrics), s.Logger)
		if err != nil {
			return err
		}
		defer end()
	}
	var agents func(context.Context) error
	if s.Agents != "" {
		var err error
		if agents, err = s.letsIn(ctx, &options); err != nil {
			return err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot listen at %s", s.Listen)
	}
	var secure *tls.Config
	if s.Local != nil {
		guard, token := NewLocal()
		options.Guard = guard
		err = s.Local("http://"+listener.Addr().String(), token)
	} else {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(collectAt)
		}
		secure, err = s.known(ctx, &options, listener.Addr())
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	answer := func(ctx context.Context) error { return Serve(ctx, listener, Handler(options), secure, s.Logger) }
	if s.Agents == "" {
		return answer(ctx)
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return answer(ctx) })
	both.Go(func() error { return agents(ctx) })
	return both.Wait()
}

// letsIn makes a server let agents in, and returns what answers them until a context ends.
func (s Setup) letsIn(ctx context.Context, o *Options) (func(context.Context) error, error) {
	authority, err := credential.ReadAuthority(s.AgentsDir)
	if err != nil {
		return nil, err
	}
	o.Authority, o.Invitations = authority, s.Ledger
	o.Metrics.Agents(func() map[string]int { return agentStates(ctx, s.Engine) })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Agents)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot listen at %s", s.Agents)
	}
	probes := o.Metrics.Probes(o.Clock.Now, s.Engine.CountProbes)
	at := centre.New(centre.Options{
		Ledger: s.Ledger, Authority: authority, Sites: sites{s.Engine}, Temporal: temporalOf(s.Engine), Installation: s.Installation,
		Build: s.Version, Clock: o.Clock, Logger: s.Logger, Payloads: s.Payloads,
		Heard: probes.Heard,
	})
	if s.Say != nil {
		s.Say([]string{"agents are let in at " + listener.Addr().String()})
	}
	return func(ctx context.Context) error { return at.Serve(ctx, listener) }, nil
}

// temporalOf is the Temporal server of an engine, as it is reached itself.
func temporalOf(e *engine.Engine) func(context.Context) (centre.Temporal, error) {
	return func(ctx context.Context) (centre.Temporal, error) {
		server, err := e.Server(ctx)
		if err != nil {
			return centre.Temporal{}, err
		}
		raw, is := server.Temporal.(interface {
			WorkflowService() workflowservice.WorkflowServiceClient
		})
		if !is {
			return centre.Temporal{}, fault.New(fault.Internal, "cannot pass tasks on: %T is no client of Temporal", server.Temporal)
		}
		return centre.Temporal{WorkflowServiceClient: raw.WorkflowService(), Namespace: server.Namespace}, nil
	}
}

// known makes a server know who asks, and says what it trusts.
func (s Setup) known(ctx context.Context, o *Options, at net.Addr) (*tls.Config, error) {
	tokens, err := authn.New(*s.Auth, s.Ledger, o.Clock.Now)
	if err != nil {
		return nil, err
	}
	machines, err := authn.NewMachines(s.Auth.ClientCAs, o.Clock.Now)
	if err != nil {
		return nil, err
	}
	own, err := OpenCertificate(s.Cert, s.Key, o.Clock, s.Logger)
	if err != nil {
		return nil, err
	}
	o.Metrics.Certificate(func() time.Time { return own.Leaf().NotAfter })
	bindings := &Bindings{Ours: s.Bindings, Kept: s.Engine.Kept, Clock: o.Clock, Logger: s.Logger}
	bound, err := bindings.Read(ctx)
	if err != nil {
		return nil, err
	}
	go bindings.Follow(ctx)
	o.Tokens = s.Ledger
	o.Guard, o.Grants = Known{Tokens: tokens, Machines: machines}, bindings.Grants
	for _, i := range s.Auth.Issuers {
		if i.ClientID != "" {
			o.Logins = append(o.Logins, wire.LoginAt{Issuer: i.Name, URL: i.URL, ClientID: i.ClientID})
		}
	}
	lines := []string{fmt.Sprintf("serving https://%s with TLS 1.3, by a certificate that counts until %s",
		at, own.Leaf().NotAfter.UTC().Format(time.RFC3339))}
	for _, i := range s.Auth.Issuers {
		lines = append(lines, fmt.Sprintf("trusts %s (%s) for %s, in tokens for %s", i.Name, i.URL, i.Kind, strings.Join(i.Audiences, ", ")))
	}
	for _, ca := range s.Auth.ClientCAs {
		lines = append(lines, fmt.Sprintf("trusts %s for machines, by certificates that %s has signed", ca.Name, ca.File))
	}
	lines = append(lines,
		fmt.Sprintf("%s, %d of them from files", api.Counted(bound, "binding"), len(s.Bindings)),
		"refuses whoever has neither token nor certificate, and whatever no binding gives")
	if bound == 0 {
		lines = append(lines, "so nobody may do anything: give it a first binding with --bindings")
	}
	s.Say(lines)
	if len(s.Auth.ClientCAs) == 0 {
		return TLS(own, nil), nil
	}
	return TLS(own, machines.Pool()), nil
}
