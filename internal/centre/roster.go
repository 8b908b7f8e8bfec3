package centre

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

// roster is the agents as they were read a moment ago: each call of an agent is held against it.
type roster struct {
	read  func(context.Context) ([]ledger.Agent, error)
	clock clock.PassiveClock

	mu     sync.Mutex
	at     time.Time // of reading
	agents map[string]ledger.Agent
}

const (
	// rosterFor is how long what was read counts: a revoked agent is out by then.
	rosterFor = 2 * time.Second
	// readAgain is how soon it is read again for somebody whom it does not have: he may have come in by another server just now.
	readAgain = 200 * time.Millisecond
)

// find returns an agent that satisfies check, which it is read anew for where it does not. It is what check says of the newest otherwise.
func (r *roster) find(ctx context.Context, name string, check func(*ledger.Agent) error) (ledger.Agent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := func() (ledger.Agent, error) {
		a, known := r.agents[name]
		if !known {
			return a, fault.New(fault.Unauthorized, "agent %s is not known here", name)
		}
		return a, check(&a)
	}
	if err := r.refresh(ctx, rosterFor); err != nil {
		return ledger.Agent{}, err
	}
	if a, err := of(); err == nil {
		return a, nil
	}
	if err := r.refresh(ctx, readAgain); err != nil {
		return ledger.Agent{}, err
	}
	return of()
}

// refresh reads the agents anew where they were read longer ago than that.
func (r *roster) refresh(ctx context.Context, within time.Duration) error {
	if r.agents != nil && r.clock.Since(r.at).Abs() < within {
		return nil
	}
	all, err := r.read(ctx)
	if err != nil {
		return err
	}
	r.agents, r.at = make(map[string]ledger.Agent, len(all)), r.clock.Now()
	for _, a := range all {
		r.agents[a.Name] = a
	}
	return nil
}

// put notes what has become of an agent just now.
func (r *roster) put(a ledger.Agent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agents != nil {
		r.agents[a.Name] = a
	}
}

// others are the agents of a site but for one.
func (r *roster) others(site, but string) (all []ledger.Agent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.agents {
		if a.Site == site && a.Name != but {
			all = append(all, a)
		}
	}
	return all
}

// caller is the agent that calls.
type caller struct {
	ledger.Agent
	serial string // of the certificate that it shows
}

type callerKey struct{}

// callerOf is who calls. Without one a call is Enrol.
func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}

// identify returns a context with the agent that calls. Which of its processes that is counts for all but its beats.
func (c *Centre) identify(ctx context.Context, method string) (context.Context, error) {
	if method == uplink.Enrol.Path() {
		return ctx, nil
	}
	from, _ := peer.FromContext(ctx)
	state, is := from.AuthInfo.(credentials.TLSInfo)
	if !is || len(state.State.VerifiedChains) == 0 {
		return ctx, fault.New(fault.Unauthorized, "cannot tell who calls: no certificate was shown that counts")
	}
	leaf := state.State.VerifiedChains[0][0]
	if now := c.Clock.Now(); now.After(leaf.NotAfter) { // the connection may be older than that
		return ctx, fault.New(fault.Unauthorized, "the certificate of agent %s ended at %s; enroll it anew: sluice cluster enroll CLUSTER",
			leaf.Subject.CommonName, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	serial := credential.Serial(leaf)
	says := metadata.ValueFromIncomingContext(ctx, uplink.InstanceKey)
	a, err := c.roster.find(ctx, leaf.Subject.CommonName, func(a *ledger.Agent) error {
		if err := a.Counts(serial); err != nil || method == uplink.Beat.Path() {
			return err
		}
		if len(says) != 1 || says[0] != a.Instance {
			return a.Elsewhere()
		}
		return nil
	})
	if err != nil {
		if err := c.bounds.refuse(ctx, leaf.Subject.CommonName); err != nil {
			return ctx, err
		}
		c.Logger.Warn("an agent is refused", "agent", leaf.Subject.CommonName, "address", from.Addr.String(), "why", err)
		return ctx, err
	}
	if err := c.bounds.call(ctx, a.Name); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, callerKey{}, caller{a, serial}), nil
}

func (c *Centre) identifyUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := c.identify(ctx, info.FullMethod)
	if err != nil {
		return nil, uplink.ToStatus(err)
	}
	return next(ctx, req)
}

func (c *Centre) identifyStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := c.identify(stream.Context(), info.FullMethod)
	if err != nil {
		return uplink.ToStatus(err)
	}
	return next(srv, identified{stream, ctx})
}

type identified struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (i identified) Context() context.Context { return i.ctx }

// broken is what a call is answered whose handler panicked; the server goes on.
func (c *Centre) broken(method string, err *error) {
	if broken := recover(); broken != nil {
		c.Logger.Error("a call of an agent broke its handler", "method", method, "panic", broken, "stack", string(debug.Stack()))
		*err = uplink.ToStatus(fault.New(fault.Internal, "cannot answer: the server has a fault, and its log says which"))
	}
}

func (c *Centre) catchUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (res any, err error) {
	defer c.broken(info.FullMethod, &err)
	return next(ctx, req)
}

func (c *Centre) catchStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer c.broken(info.FullMethod, &err)
	return next(srv, stream)
}
