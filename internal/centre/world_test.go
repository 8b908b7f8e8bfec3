package centre_test

import (
	"context"
	"crypto"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/centre"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/uplink"
)

// fleet has a site with two clusters, and one with one.
type fleet map[string][]uplink.Near

func (f fleet) Site(_ context.Context, name string) ([]uplink.Near, error) { return f[name], nil }

// queues stands for Temporal: it has one task for whoever asks, and remembers what it was told.
type queues struct {
	workflowservice.WorkflowServiceClient
	polled *workflowservice.PollActivityTaskQueueRequest
	done   *workflowservice.RespondActivityTaskCompletedRequest
	failed *workflowservice.RespondActivityTaskFailedRequest

	beaten    *workflowservice.RecordActivityTaskHeartbeatRequest
	cancelled *workflowservice.RespondActivityTaskCanceledRequest

	polling func()
	task    *workflowservice.PollActivityTaskQueueResponse // what the task is about; nil: nothing
	input   []byte                                         // of the task
}

func (q *queues) PollActivityTaskQueue(
	_ context.Context, req *workflowservice.PollActivityTaskQueueRequest, _ ...grpc.CallOption,
) (*workflowservice.PollActivityTaskQueueResponse, error) {
	q.polled = req
	if q.polling != nil {
		q.polling()
	}
	task := &workflowservice.PollActivityTaskQueueResponse{}
	if q.task != nil {
		task = proto.Clone(q.task).(*workflowservice.PollActivityTaskQueueResponse)
	}
	if q.input != nil {
		task.Input = plainly(q.input)
	}
	task.TaskToken = []byte("token of Temporal")
	return task, nil
}

func (q *queues) RespondActivityTaskCompleted(
	_ context.Context, req *workflowservice.RespondActivityTaskCompletedRequest, _ ...grpc.CallOption,
) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	q.done = req
	return &workflowservice.RespondActivityTaskCompletedResponse{}, nil
}

func (q *queues) RespondActivityTaskFailed(
	_ context.Context, req *workflowservice.RespondActivityTaskFailedRequest, _ ...grpc.CallOption,
) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	q.failed = req
	return &workflowservice.RespondActivityTaskFailedResponse{}, nil
}

func (q *queues) RecordActivityTaskHeartbeat(
	_ context.Context, req *workflowservice.RecordActivityTaskHeartbeatRequest, _ ...grpc.CallOption,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	q.beaten = req
	return &workflowservice.RecordActivityTaskHeartbeatResponse{}, nil
}

func (q *queues) RespondActivityTaskCanceled(
	_ context.Context, req *workflowservice.RespondActivityTaskCanceledRequest, _ ...grpc.CallOption,
) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	q.cancelled = req
	return &workflowservice.RespondActivityTaskCanceledResponse{}, nil
}

// world is a centre that is served, and what is behind it.
type world struct {
	*testing.T
	ledger    ledger.Ledger
	authority *credential.Authority
	address   string
	temporal  *queues
	clock     *clocktesting.FakeClock
}

const installation = "sluice-0123456789"

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, nil)
}

// newWorldWith is a world at whose Temporal payloads are encrypted.
func newWorldWith(t *testing.T, keys *payload.Ring) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, ledger: sqlitetest.New(t), temporal: &queues{}, clock: clocktesting.NewFakeClock(time.Now())}
	if err := credential.NewAuthority(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.authority, err = credential.ReadAuthority(dir); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = listener.Addr().String()
	c := centre.New(centre.Options{
		Ledger: w.ledger, Authority: w.authority, Installation: installation, Build: "v1.4.0", Clock: w.clock, Rate: 1000,
		Payloads: keys, PartWithin: 3 * time.Second, StrangersFor: 5 * time.Second,
		Logger: slog.New(slog.DiscardHandler),
		Sites:  fleet{"eu": {{Name: "eu-1", Context: "eu-1"}, {Name: "eu-2", Context: "eu-2"}}, "us": {{Name: "us-1", Context: "us-1"}}},
		Temporal: func(context.Context) (centre.Temporal, error) {
			return centre.Temporal{WorkflowServiceClient: w.temporal, Namespace: "default"}, nil
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// as is a connection of somebody with a certificate, who says that he is one process of an agent.
func (w *world) as(certificate []byte, key crypto.Signer, instance string) *grpc.ClientConn {
	w.Helper()
	config, err := credential.Dial(w.authority.Certificate(), certificate, key)
	if err != nil {
		w.Fatal(err)
	}
	return w.dial(credentials.NewTLS(config), instance)
}

func (w *world) dial(creds credentials.TransportCredentials, instance string) *grpc.ClientConn {
	w.Helper()
	named := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, uplink.InstanceKey, instance)
	}
	conn, err := grpc.NewClient("passthrough:///"+w.address, grpc.WithTransportCredentials(creds),
		grpc.WithUnaryInterceptor(func(ctx context.Context, m string, req, res any, c *grpc.ClientConn, do grpc.UnaryInvoker,
			o ...grpc.CallOption) error {
			return do(named(ctx), m, req, res, c, o...)
		}),
		grpc.WithStreamInterceptor(func(
			ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, m string, do grpc.Streamer, o ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return do(named(ctx), d, c, m, o...)
		}))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	return conn
}

// member is an agent that came in.
type member struct {
	*grpc.ClientConn
	certificate []byte
	key         crypto.Signer
}

const instance = "instance-1"

// invite makes an invitation.
func (w *world) invite(agent, site string) credential.Invitation {
	w.Helper()
	shown := w.authority.Invite()
	err := w.ledger.Invite(w.Context(), ledger.Invitation{
		ID: shown.ID, Hash: shown.Hash(), Agent: agent, Site: site, By: "corp:ann", Created: w.clock.Now(),
		Expires: w.clock.Now().Add(time.Hour),
	})
	if err != nil {
		w.Fatal(err)
	}
	return shown
}

func request(t *testing.T) (crypto.Signer, []byte) {
	t.Helper()
	key, err := credential.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := credential.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, request
}

// enrol uses an invitation.
func (w *world) enrol(shown credential.Invitation, request []byte, build string) (uplink.Enrolled, error) {
	w.Helper()
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(shown.Pin, time.Now)), "")
	return uplink.Enrol.Call(w.Context(), stranger, uplink.EnrolRequest{
		Invitation: shown.ID, Secret: shown.Secret, Request: request, Build: build,
	})
}

// member has an agent come in and say that it is there.
func (w *world) member(agent, site string) member {
	w.Helper()
	key, asked := request(w.T)
	in, err := w.enrol(w.invite(agent, site), asked, "v1.4.0")
	if err != nil {
		w.Fatal(err)
	}
	m := member{w.as(in.Certificate, key, instance), in.Certificate, key}
	if _, err := w.beat(m, instance, nil); err != nil {
		w.Fatal(err)
	}
	return m
}

func (w *world) beat(m member, instance string, clusters []ledger.AgentCluster) (uplink.Stand, error) {
	return uplink.Beat.Call(w.Context(), m, uplink.BeatRequest{
		Instance: instance, Host: "node-1", Build: "v1.4.0", Now: w.clock.Now(), Clusters: clusters,
	})
}

func (w *world) want(err error, code fault.Code, reason string) {
	w.Helper()
	if got := fault.CodeOf(err); got != code {
		w.Errorf("%s: %q (%v), want %q", reason, got, err, code)
	}
}

// plainly is a payload that nobody has encrypted.
func plainly(data []byte) *common.Payloads {
	return &common.Payloads{Payloads: []*common.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: data}}}
}
