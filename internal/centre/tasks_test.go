package centre_test

import (
	"fmt"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

func TestTasksAreThoseOfTheSite(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	queue := func(name string, kind enums.TaskQueueKind) *workflowservice.PollActivityTaskQueueRequest {
		return &workflowservice.PollActivityTaskQueueRequest{
			Namespace: "default", Identity: "somebody else", TaskQueue: &taskqueue.TaskQueue{Name: name, Kind: kind},
		}
	}
	at := workflowservice.NewWorkflowServiceClient(eu)
	own := api.SiteQueue(api.Queue(installation), "eu")
	for _, c := range []struct {
		reason string
		req    *workflowservice.PollActivityTaskQueueRequest
		want   codes.Code
	}{
		{"its own queue", queue(own, enums.TASK_QUEUE_KIND_NORMAL), codes.OK},
		{"its own checks", queue(api.ChecksQueue(own), enums.TASK_QUEUE_KIND_UNSPECIFIED), codes.OK},
		{"the central queue", queue(api.Queue(installation), enums.TASK_QUEUE_KIND_NORMAL), codes.PermissionDenied},
		{"another site's", queue(api.SiteQueue(api.Queue(installation), "us"), enums.TASK_QUEUE_KIND_NORMAL), codes.PermissionDenied},
		{"a sticky one", queue(own, enums.TASK_QUEUE_KIND_STICKY), codes.PermissionDenied},
		{"none", &workflowservice.PollActivityTaskQueueRequest{Namespace: "default"}, codes.PermissionDenied},
		{"another namespace", &workflowservice.PollActivityTaskQueueRequest{Namespace: "other", TaskQueue: &taskqueue.TaskQueue{Name: own}},
			codes.PermissionDenied},
	} {
		if _, err := at.PollActivityTaskQueue(t.Context(), c.req); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
	}
	task, err := at.PollActivityTaskQueue(t.Context(), queue(own, enums.TASK_QUEUE_KIND_NORMAL))
	if err != nil {
		t.Fatal(err)
	}
	if w.temporal.polled.GetIdentity() != "agent:eu" || string(task.GetTaskToken()) == "token of Temporal" {
		t.Errorf("it asks as %q, and is given %q", w.temporal.polled.GetIdentity(), task.GetTaskToken())
	}
	complete := func(m member, token []byte) error {
		_, err := workflowservice.NewWorkflowServiceClient(m).RespondActivityTaskCompleted(t.Context(),
			&workflowservice.RespondActivityTaskCompletedRequest{Namespace: "default", TaskToken: token})
		return err
	}
	for _, c := range []struct {
		reason string
		from   member
		token  []byte
	}{
		{"a token as Temporal has it", eu, []byte("token of Temporal")}, {"another site's token", us, task.GetTaskToken()},
		{"a token that was changed", eu, append([]byte{1}, task.GetTaskToken()...)}, {"none", eu, nil},
	} {
		if err := complete(c.from, c.token); status.Code(err) != codes.PermissionDenied || w.temporal.done != nil {
			t.Errorf("%s: %v, want it denied", c.reason, err)
		}
	}
	if err := complete(eu, task.GetTaskToken()); err != nil || string(w.temporal.done.GetTaskToken()) != "token of Temporal" {
		t.Errorf("its own: %v (%v)", w.temporal.done, err)
	}
	for name, err := range map[string]error{
		"the histories of runs": second(at.GetWorkflowExecutionHistory(t.Context(),
			&workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: "default"})),
		"to end a run": second(at.TerminateWorkflowExecution(t.Context(),
			&workflowservice.TerminateWorkflowExecutionRequest{Namespace: "default"})),
		"a command": second(at.SignalWorkflowExecution(t.Context(),
			&workflowservice.SignalWorkflowExecutionRequest{Namespace: "default"})),
		"a task of workflows": second(at.PollWorkflowTaskQueue(t.Context(),
			&workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default"})),
		"an answer by names": second(at.RespondActivityTaskCompletedById(t.Context(),
			&workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: "default"})),
	} {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, want it not to be there", name, err)
		}
	}
}

// A unit that a worker has begun is ended by an agent, and its record is the central worker's: the agent reads both. No answer opens
// what the site was not given.
func TestATaskComesWithWhatItIsAbout(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	put := func(text string) string {
		t.Helper()
		digest, err := w.ledger.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	changes, record, secret := put("changes by a worker"), put("a unit that has ended"), put("another site's")
	w.temporal.input = fmt.Appendf(nil, `{"cluster":"eu-1","workloads":[{"changes":%q}],"record":%q,"note":%q}`, changes, record, secret)
	at := workflowservice.NewWorkflowServiceClient(eu)
	task, err := at.PollActivityTaskQueue(t.Context(), &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: api.SiteQueue(api.Queue(installation), "eu")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{changes, record} {
		if _, err := uplink.Blob(t.Context(), eu, digest); err != nil {
			t.Errorf("what the task names is read: %v", err)
		}
		_, err := uplink.Blob(t.Context(), us, digest)
		w.want(err, fault.NotFound, "by another site")
	}
	_, err = uplink.Blob(t.Context(), eu, secret)
	w.want(err, fault.NotFound, "what it says beside")
	complete := func(result string) error {
		_, err := at.RespondActivityTaskCompleted(t.Context(), &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: "default", TaskToken: task.GetTaskToken(), Result: plainly([]byte(result)),
		})
		return err
	}
	for reason, result := range map[string]string{
		"a change set that is another site's": fmt.Sprintf(`{"changes":%q}`, secret),
		"with another field that is no text":  fmt.Sprintf(`{"CHANGES":%q,"record":["x"]}`, secret),
		"deep within":                         fmt.Sprintf(`{"workloads":[{"changes":%q}]}`, secret),
		"the last of two":                     fmt.Sprintf(`{"changes":%q,"Changes":%q}`, changes, secret),
	} {
		if err := complete(result); status.Code(err) != codes.NotFound || w.temporal.done != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
	for _, result := range []string{fmt.Sprintf(`{"changes":%q}`, changes), `{"changes":["text"]}`, `"text"`, ""} {
		if err := complete(result); err != nil {
			t.Errorf("%s: %v", result, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Whoever is revoked while it waits for a task does not get it: another does, at once.
func TestARevokedAgentGetsNoTask(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	w.temporal.polling = func() {
		w.revoke("eu")
		w.clock.Step(3 * time.Second)
	}
	_, err := workflowservice.NewWorkflowServiceClient(eu).PollActivityTaskQueue(t.Context(), &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: api.SiteQueue(api.Queue(installation), "eu")},
	})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
	failure := w.temporal.failed.GetFailure()
	if string(w.temporal.failed.GetTaskToken()) != "token of Temporal" || failure.GetApplicationFailureInfo().GetNonRetryable() {
		t.Errorf("the task is given back: %v", w.temporal.failed)
	}
	_, err = uplink.NextFence.Call(t.Context(), eu, uplink.FenceAsked{Unit: uplink.Unit{Cluster: "eu-1", Subject: component}})
	w.want(err, fault.Unauthorized, "a record")
}
