package centre

import (
	"context"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

// tasks is the part of Temporal that an agent has: the activities of its site's queues. All else is Unimplemented.
type tasks struct {
	workflowservice.UnimplementedWorkflowServiceServer
	centre *Centre
}

// in is the namespace of a request, which is the installation's or fault.Unauthorized.
func (t *tasks) in(ctx context.Context, namespace string) (Temporal, error) {
	temporal, err := t.centre.Temporal(ctx)
	if err == nil && namespace != temporal.Namespace {
		err = fault.New(fault.Unauthorized, "agents have nothing to do with namespace %q of Temporal", namespace)
	}
	return temporal, uplink.ToStatus(err)
}

// served is where a queue is asked that is one of the site's; any other is fault.Unauthorized.
func (t *tasks) served(ctx context.Context, namespace string, queue *taskqueue.TaskQueue) (Temporal, error) {
	who := callerOf(ctx)
	own := api.SiteQueue(api.Queue(t.centre.Installation), who.Site)
	name := queue.GetName()
	if who.Site == "" || queue.GetKind() == enums.TASK_QUEUE_KIND_STICKY || name != own && name != api.ChecksQueue(own) {
		return Temporal{}, uplink.ToStatus(fault.New(fault.Unauthorized, "agent %s has nothing to do with task queue %q", who.Name, name))
	}
	return t.in(ctx, namespace)
}

// opened is whom to tell of a task, and the token that the task has there.
func (t *tasks) opened(ctx context.Context, namespace string, sealed []byte) (Temporal, []byte, error) {
	temporal, err := t.in(ctx, namespace)
	if err != nil {
		return temporal, nil, err
	}
	token, err := t.centre.seal.Open(callerOf(ctx).Site, sealed)
	return temporal, token, uplink.ToStatus(err)
}

func signed(ctx context.Context) string { return "agent:" + callerOf(ctx).Name }

// GetSystemInfo implements workflowservice.WorkflowServiceServer.
func (t *tasks) GetSystemInfo(
	ctx context.Context, _ *workflowservice.GetSystemInfoRequest,
) (*workflowservice.GetSystemInfoResponse, error) {
	temporal, err := t.centre.Temporal(ctx)
	if err != nil {
		return nil, uplink.ToStatus(err)
	}
	return temporal.GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
}

// DescribeNamespace implements workflowservice.WorkflowServiceServer. An agent learns no more of it than that it is there.
func (t *tasks) DescribeNamespace(
	ctx context.Context, req *workflowservice.DescribeNamespaceRequest,
) (*workflowservice.DescribeNamespaceResponse, error) {
	temporal, err := t.in(ctx, req.GetNamespace())
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespace.NamespaceInfo{
		Name: temporal.Namespace, State: enums.NAMESPACE_STATE_REGISTERED, Capabilities: &namespace.NamespaceInfo_Capabilities{},
	}}, nil
}

// PollActivityTaskQueue implements workflowservice.WorkflowServiceServer.
func (t *tasks) PollActivityTaskQueue(
	ctx context.Context, req *workflowservice.PollActivityTaskQueueRequest,
) (*workflowservice.PollActivityTaskQueueResponse, error) {
	temporal, err := t.served(ctx, req.GetNamespace(), req.GetTaskQueue())
	if err != nil {
		return nil, err
	}
	task, err := temporal.PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx),
		TaskQueue:         &taskqueue.TaskQueue{Name: req.GetTaskQueue().GetName(), Kind: enums.TASK_QUEUE_KIND_NORMAL},
		TaskQueueMetadata: req.GetTaskQueueMetadata(), WorkerInstanceKey: req.GetWorkerInstanceKey(),
	})
	if err != nil || len(task.GetTaskToken()) == 0 {
		return task, err
	}
	// Whoever was revoked while he waited gets nothing: the task is for another.
	if err := t.still(ctx); err != nil {
		t.giveBack(ctx, temporal, task.GetTaskToken(), err)
		return nil, uplink.ToStatus(err)
	}
	if err := t.toSite(ctx, task); err != nil {
		t.centre.Logger.Error("a task cannot be handed to an agent", "agent", callerOf(ctx).Name, "error", err)
		t.giveBack(ctx, temporal, task.GetTaskToken(), err)
		// By any other code its worker would end, and not ask again.
		return nil, uplink.ToStatus(fault.Wrap(fault.Unreachable, err, "cannot hand over a task"))
	}
	task.TaskToken = t.centre.seal.Close(callerOf(ctx).Site, task.GetTaskToken())
	return task, nil
}

// still is why whoever calls does not count any more.
func (t *tasks) still(ctx context.Context) error {
	_, err := t.centre.identify(ctx, workflowservice.WorkflowService_PollActivityTaskQueue_FullMethodName)
	return err
}

// giveBack has Temporal give a task to another at once.
func (t *tasks) giveBack(ctx context.Context, temporal Temporal, token []byte, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerFor)
	defer cancel()
	_, err := temporal.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx), TaskToken: token,
		Failure: &failure.Failure{Message: why.Error(), FailureInfo: &failure.Failure_ApplicationFailureInfo{
			ApplicationFailureInfo: &failure.ApplicationFailureInfo{Type: string(fault.Unreachable)},
		}},
	})
	if err != nil {
		t.centre.Logger.Warn("a task that nobody took could not be given back", "error", err)
	}
}

// RecordActivityTaskHeartbeat implements workflowservice.WorkflowServiceServer.
func (t *tasks) RecordActivityTaskHeartbeat(
	ctx context.Context, req *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	temporal, token, err := t.opened(ctx, req.GetNamespace(), req.GetTaskToken())
	if err != nil {
		return nil, err
	}
	if err := t.fromSite(ctx, req); err != nil {
		return nil, err
	}
	return temporal.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx), TaskToken: token, Details: req.GetDetails(),
	})
}

// RespondActivityTaskCompleted implements workflowservice.WorkflowServiceServer.
func (t *tasks) RespondActivityTaskCompleted(
	ctx context.Context, req *workflowservice.RespondActivityTaskCompletedRequest,
) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	temporal, token, err := t.opened(ctx, req.GetNamespace(), req.GetTaskToken())
	if err != nil {
		return nil, err
	}
	if err := t.fromSite(ctx, req); err != nil {
		return nil, err
	}
	return temporal.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx), TaskToken: token, Result: req.GetResult(),
	})
}

// RespondActivityTaskFailed implements workflowservice.WorkflowServiceServer.
func (t *tasks) RespondActivityTaskFailed(
	ctx context.Context, req *workflowservice.RespondActivityTaskFailedRequest,
) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	temporal, token, err := t.opened(ctx, req.GetNamespace(), req.GetTaskToken())
	if err != nil {
		return nil, err
	}
	if err := t.fromSite(ctx, req); err != nil {
		return nil, err
	}
	return temporal.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx), TaskToken: token, Failure: req.GetFailure(),
		LastHeartbeatDetails: req.GetLastHeartbeatDetails(),
	})
}

// RespondActivityTaskCanceled implements workflowservice.WorkflowServiceServer.
func (t *tasks) RespondActivityTaskCanceled(
	ctx context.Context, req *workflowservice.RespondActivityTaskCanceledRequest,
) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	temporal, token, err := t.opened(ctx, req.GetNamespace(), req.GetTaskToken())
	if err != nil {
		return nil, err
	}
	if err := t.fromSite(ctx, req); err != nil {
		return nil, err
	}
	return temporal.RespondActivityTaskCanceled(ctx, &workflowservice.RespondActivityTaskCanceledRequest{
		Namespace: temporal.Namespace, Identity: signed(ctx), TaskToken: token, Details: req.GetDetails(),
	})
}

// ShutdownWorker implements workflowservice.WorkflowServiceServer. An agent has no sticky queue that somebody would wait at.
func (t *tasks) ShutdownWorker(
	context.Context, *workflowservice.ShutdownWorkerRequest,
) (*workflowservice.ShutdownWorkerResponse, error) {
	return &workflowservice.ShutdownWorkerResponse{}, nil
}

// asTemporal has what Temporal says go on as Temporal says it: whoever asks tells by it what is worth another try.
func asTemporal(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	res, err := next(ctx, req)
	if err != nil && strings.HasPrefix(info.FullMethod, "/"+workflowservice.WorkflowService_ServiceDesc.ServiceName+"/") {
		err = serviceerror.ToStatus(err).Err()
	}
	return res, err
}
