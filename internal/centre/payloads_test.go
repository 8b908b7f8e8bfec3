package centre_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

func keyring(t *testing.T, id string) *payload.Ring {
	t.Helper()
	keys, err := payload.Of(id, []byte(strings.Repeat(id, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// ofSite are the keys that an agent hears of when it beats.
func (w *world) ofSite(m member) *payload.Ring {
	w.Helper()
	stand, err := w.beat(m, instance, nil)
	if err != nil {
		w.Fatal(err)
	}
	keys, err := payload.OfSite(stand.Site, stand.Payloads)
	if err != nil {
		w.Fatal(err)
	}
	return keys
}

func values(t *testing.T, by *payload.Ring, v any) *common.Payloads {
	t.Helper()
	p, err := by.Converter(nil).ToPayloads(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// read is what keys make of payloads.
func read(t *testing.T, by *payload.Ring, p *common.Payloads) (v string) {
	t.Helper()
	if err := by.Converter(nil).FromPayloads(p, &v); err != nil {
		t.Error(err)
	}
	return v
}

func (w *world) poll(m member, site string) (*workflowservice.PollActivityTaskQueueResponse, error) {
	return workflowservice.NewWorkflowServiceClient(m).PollActivityTaskQueue(w.Context(), &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: api.SiteQueue(api.Queue(installation), site)},
	})
}

// TestPayloadsOfASite has a task go to an agent and back, over a Temporal that has its payloads encrypted and over one that has not.
func TestPayloadsOfASite(t *testing.T) {
	for reason, kept := range map[string]*payload.Ring{"encrypted at Temporal": keyring(t, "k"), "plain at Temporal": nil} {
		t.Run(reason, func(t *testing.T) {
			w := newWorldWith(t, kept)
			eu, us := w.member("eu", "eu"), w.member("us-1", "us")
			site, other := w.ofSite(eu), w.ofSite(us)
			trace, err := converter.GetDefaultDataConverter().ToPayload("trace")
			if err != nil {
				t.Fatal(err)
			}
			w.temporal.task = &workflowservice.PollActivityTaskQueueResponse{
				Input: values(t, kept, "hush"), HeartbeatDetails: values(t, kept, "as far as that"),
				Header: &common.Header{Fields: map[string]*common.Payload{"trace": trace}},
			}
			task, err := w.poll(eu, "eu")
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, site, task.GetInput()) + ", " + read(t, site, task.GetHeartbeatDetails()); got != "hush, as far as that" {
				t.Errorf("the agent reads %q", got)
			}
			if strings.Contains(task.GetInput().String(), "hush") {
				t.Errorf("the task goes in the clear: %v", task)
			}
			for who, keys := range map[string]*payload.Ring{"an agent of another site": other, "Temporal": keyring(t, "k"), "nobody": nil} {
				var v string
				if err := keys.Converter(nil).FromPayloads(task.GetInput(), &v); !errors.Is(err, payload.ErrUnread) {
					t.Errorf("%s reads %q (%v)", who, v, err)
				}
			}
			if got := read(t, nil, &common.Payloads{Payloads: []*common.Payload{task.GetHeader().GetFields()["trace"]}}); got != "trace" {
				t.Errorf("what is traced is %q", got)
			}
			w.answers(eu, task.GetTaskToken(), site, other, kept)
		})
	}
}

// answers has an agent answer, and looks at what Temporal is told.
func (w *world) answers(m member, token []byte, site, other, kept *payload.Ring) {
	w.Helper()
	t, at := w.T, workflowservice.NewWorkflowServiceClient(m)
	complete := func(result *common.Payloads) error {
		_, err := at.RespondActivityTaskCompleted(t.Context(), &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: "default", TaskToken: token, Result: result,
		})
		return err
	}
	for reason, keys := range map[string]*payload.Ring{"another site's key": other, "what says that it is Temporal's": keyring(t, "k")} {
		if err := complete(values(t, keys, "x")); status.Code(err) != codes.InvalidArgument || w.temporal.done != nil {
			t.Errorf("%s: %v, want it refused", reason, err)
		}
	}
	if err := complete(values(t, site, "done")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, kept, w.temporal.done.GetResult()); got != "done" {
		t.Errorf("Temporal keeps %q", got)
	}
	if in := strings.Contains(w.temporal.done.GetResult().String(), "done"); in != (kept == nil) {
		t.Errorf("in the clear: %v: %v", in, w.temporal.done)
	}
	_, err := at.RecordActivityTaskHeartbeat(t.Context(), &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: "default", TaskToken: token, Details: values(t, site, "half"),
	})
	if err != nil || read(t, kept, w.temporal.beaten.GetDetails()) != "half" {
		t.Errorf("a heartbeat: %v", err)
	}
	_, err = at.RespondActivityTaskCanceled(t.Context(), &workflowservice.RespondActivityTaskCanceledRequest{
		Namespace: "default", TaskToken: token, Details: values(t, site, "stopped"),
	})
	if err != nil || read(t, kept, w.temporal.cancelled.GetDetails()) != "stopped" {
		t.Errorf("a cancelled one: %v", err)
	}
	cause := temporal.NewApplicationError("the cause", "cause")
	said := temporal.NewNonRetryableApplicationError("hush", string(fault.Refused), cause, "a detail")
	_, err = at.RespondActivityTaskFailed(t.Context(), &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: "default", TaskToken: token, Failure: site.Failures(site.Converter(nil)).ErrorToFailure(said),
		LastHeartbeatDetails: values(t, site, "half"),
	})
	if err != nil {
		t.Fatal(err)
	}
	told := w.temporal.failed
	if in := strings.Contains(told.String(), "hush") && strings.Contains(told.String(), "the cause"); in != (kept == nil) {
		t.Errorf("in the clear: %v: %v", in, told)
	}
	var app *temporal.ApplicationError
	if !errors.As(kept.Failures(kept.Converter(nil)).FailureToError(told.GetFailure()), &app) {
		t.Fatalf("Temporal keeps %v", told)
	}
	var detail string
	if err := app.Details(&detail); err != nil {
		t.Error(err)
	}
	var why *temporal.ApplicationError
	if !errors.As(app.Unwrap(), &why) {
		t.Fatalf("its cause is %v", app.Unwrap())
	}
	got := []string{app.Message(), app.Type(), detail, why.Message(), read(t, kept, told.GetLastHeartbeatDetails())}
	if diff := cmp.Diff([]string{"hush", string(fault.Refused), "a detail", "the cause", "half"}, got); diff != "" || !app.NonRetryable() {
		t.Errorf("of a failure Temporal keeps (non-retryable: %t): %s", app.NonRetryable(), diff)
	}
}

// TestATaskThatTheServerCannotRead is for another: it goes back at once, and says which key is missing.
func TestATaskThatTheServerCannotRead(t *testing.T) {
	w := newWorldWith(t, keyring(t, "n"))
	eu := w.member("eu", "eu")
	w.temporal.task = &workflowservice.PollActivityTaskQueueResponse{Input: values(t, keyring(t, "k"), "hush")}
	if task, err := w.poll(eu, "eu"); status.Code(err) != codes.Unavailable {
		t.Errorf("the agent gets %v, %v; want it to ask again", task, err)
	}
	back := w.temporal.failed.GetFailure()
	if back.GetApplicationFailureInfo().GetNonRetryable() || !strings.Contains(back.GetMessage(), `its key "k" is none of those here (n)`) {
		t.Errorf("the task is given back: %v", back)
	}
}
