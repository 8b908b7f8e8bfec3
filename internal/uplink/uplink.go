// Package uplink is what agents and the server say to each other: calls over one connection that the agent makes, each with a name, a
// request and an answer in JSON, and the errors of both sides. It knows neither side.
package uplink

import (
	"context"
	"encoding/json"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// service is the name under which the calls are found.
const service = "sluice.agents.v1.Centre"

// InstanceKey is the metadata in which an agent says with each call which of its processes it is.
const InstanceKey = "sluice-instance"

// MaxMessage bounds one message in either direction, in bytes. Blobs come in parts.
const MaxMessage = 4 << 20

// codec writes messages as JSON.
type codec struct{}

// jsonCodec is how gRPC calls it.
const jsonCodec = "sluice-json"

func init() { encoding.RegisterCodec(codec{}) }

// Name implements encoding.Codec.
func (codec) Name() string { return jsonCodec }

// Marshal implements encoding.Codec.
func (codec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal implements encoding.Codec.
func (codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// Method is a call by its name.
type Method[Req, Res any] struct{ name string }

// Path is how the transport calls it.
func (m Method[Req, Res]) Path() string { return "/" + service + "/" + m.name }

// Call asks the server.
func (m Method[Req, Res]) Call(ctx context.Context, server grpc.ClientConnInterface, req Req) (Res, error) {
	var res Res
	err := server.Invoke(ctx, m.Path(), req, &res, grpc.CallContentSubtype(jsonCodec))
	return res, FromStatus(err)
}

// Service answers calls.
type Service struct{ desc grpc.ServiceDesc }

// NewService returns one that answers nothing yet.
func NewService() *Service {
	return &Service{grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}}
}

// Register has a server answer.
func (s *Service) Register(on grpc.ServiceRegistrar) { on.RegisterService(&s.desc, s) }

// Handle has a function answer a call.
func Handle[Req, Res any](s *Service, m Method[Req, Res], do func(context.Context, Req) (Res, error)) {
	s.desc.Methods = append(s.desc.Methods, grpc.MethodDesc{MethodName: m.name, Handler: func(
		_ any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor,
	) (any, error) {
		var req Req
		if err := decode(&req); err != nil {
			return nil, err
		}
		answer := func(ctx context.Context, in any) (any, error) {
			res, err := do(ctx, in.(Req))
			return res, ToStatus(err)
		}
		if around == nil {
			return answer(ctx, req)
		}
		return around(ctx, req, &grpc.UnaryServerInfo{Server: s, FullMethod: m.Path()}, answer)
	}})
}

// maxSaid bounds what an error says over the connection, in bytes.
const maxSaid = 4 << 10

var codesOf = map[fault.Code]codes.Code{
	fault.Invalid: codes.InvalidArgument, fault.NotFound: codes.NotFound, fault.Conflict: codes.Aborted,
	fault.Refused:     codes.FailedPrecondition,
	fault.Unreachable: codes.Unavailable, fault.Unauthorized: codes.PermissionDenied, fault.Internal: codes.Unknown,
}

// ToStatus is an error as the connection carries it.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, is := status.FromError(err); is {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codesOf[fault.CodeOf(err)], clip.Bytes(err.Error(), maxSaid))
}

// FromStatus is an error as it was before the connection carried it. Whatever the connection itself says is fault.Unreachable.
func FromStatus(err error) error {
	s, is := status.FromError(err)
	switch {
	case err == nil:
		return nil
	case !is:
		return err
	}
	for code, as := range codesOf {
		if as == s.Code() {
			return fault.New(code, "%s", s.Message())
		}
	}
	switch s.Code() {
	case codes.Canceled:
		return context.Canceled
	case codes.DeadlineExceeded:
		return fault.New(fault.Unreachable, "the server did not answer in time")
	case codes.Unauthenticated:
		return fault.New(fault.Unauthorized, "%s", s.Message())
	case codes.ResourceExhausted:
		return fault.New(fault.Invalid, "%s", s.Message())
	}
	return fault.New(fault.Internal, "%s", s.Message())
}
