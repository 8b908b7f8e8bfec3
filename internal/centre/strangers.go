package centre

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

// strangersFor is for how long a connection lasts on which no certificate was shown: coming in is one call.
const strangersFor = time.Minute

// brief ends the connections of strangers after a while, whatever is under way on them.
type brief struct {
	credentials.TransportCredentials
	within time.Duration
}

// ServerHandshake implements credentials.TransportCredentials.
func (b brief) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := b.TransportCredentials.ServerHandshake(raw)
	if err == nil && !shown(info) {
		time.AfterFunc(b.within, func() { _ = raw.Close() })
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (b brief) Clone() credentials.TransportCredentials {
	return brief{b.TransportCredentials.Clone(), b.within}
}

// shown reports whether a certificate of the authority was shown.
func shown(info credentials.AuthInfo) bool {
	tls, is := info.(credentials.TLSInfo)
	return is && len(tls.State.VerifiedChains) > 0
}

// atTheDoor lets a stranger say nothing but that he wants to come in: what else he would say is not read.
func atTheDoor(ctx context.Context, asked *tap.Info) (context.Context, error) {
	if asked.FullMethodName == uplink.Enrol.Path() {
		return ctx, nil
	}
	if from, known := peer.FromContext(ctx); !known || !shown(from.AuthInfo) {
		return ctx, uplink.ToStatus(fault.New(fault.Unauthorized, "cannot tell who calls: no certificate was shown that counts"))
	}
	return ctx, nil
}
