package agent

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

const (
	// callWithin is how long one call to the server may take, with waiting for a link that is down for a moment.
	callWithin = 30 * time.Second
	// comeBackWithin is over how long the agents of a fleet spread when they have all lost the server at one moment.
	comeBackWithin = 12 * time.Second
	dialWithin     = 10 * time.Second
	maxAnswer      = 64 << 20 // bytes: the server is trusted not to send more than is needed
)

// spread has one who has lost a connection wait a random while before it dials again.
type spread struct {
	over time.Duration
	had  atomic.Bool
}

func (s *spread) dial(ctx context.Context, address string) (net.Conn, error) {
	if s.had.Load() {
		select {
		case <-time.After(rand.N(s.over)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := dial(ctx, address)
	if err == nil {
		s.had.Store(true)
	}
	return conn, err
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialWithin}).DialContext(ctx, "tcp", address)
}

// target is the address of a server as gRPC takes it, without a scheme.
func target(server string) string {
	return "passthrough:///" + strings.TrimSuffix(strings.TrimPrefix(server, "https://"), "/")
}

// connect returns the one connection that an agent has. It is made when it is first used, and again whenever it is lost.
func connect(server string, who *keeper, instance string, over time.Duration) (*grpc.ClientConn, error) {
	own, key := who.now()
	config, err := credential.Dial(own.Authority, own.Certificate, key)
	if err != nil {
		return nil, err
	}
	config.Certificates = nil
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // the newest that there is
		own, key := who.now()
		leaf, err := credential.Leaf(own.Certificate)
		if err != nil {
			return nil, err
		}
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, nil
	}
	named := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, uplink.InstanceKey, instance)
	}
	conn, err := grpc.NewClient(target(server),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer((&spread{over: over}).dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.5, MaxDelay: 10 * time.Second},
			MinConnectTimeout: over + 2*dialWithin,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithUnaryInterceptor(func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			return invoke(named(ctx), method, req, reply, cc, opts...)
		}),
		grpc.WithStreamInterceptor(func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return stream(named(ctx), desc, cc, method, opts...)
		}),
	)
	return conn, fault.Wrap(fault.Invalid, err, "cannot dial %s", server)
}

// patient has calls wait for a link that is down for a moment.
type patient struct{ grpc.ClientConnInterface }

// Invoke implements grpc.ClientConnInterface.
func (p patient) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	return p.ClientConnInterface.Invoke(ctx, method, args, reply, append(opts, grpc.WaitForReady(true))...)
}
