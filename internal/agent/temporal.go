package agent

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// nowhere is the address of a connection that is never made: what would go over it goes over the agent's own.
const nowhere = "passthrough:///agent"

// temporal is a client of the part of Temporal that the server passes on.
func temporal(
	link grpc.ClientConnInterface, keys *payload.Ring, namespace, identity string, logger *slog.Logger, metrics client.MetricsHandler,
) (client.Client, error) {
	over := func(
		ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		return link.Invoke(ctx, method, req, reply, opts...)
	}
	values := keys.Converter(nil)
	c, err := client.NewLazyClient(client.Options{
		DataConverter: values, FailureConverter: keys.Failures(values),
		HostPort: nowhere, Namespace: namespace, Identity: identity, Logger: sdklog.NewStructuredLogger(logger), MetricsHandler: metrics,
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(over)}},
	})
	return c, fault.Wrap(fault.Internal, err, "cannot ask for tasks")
}
