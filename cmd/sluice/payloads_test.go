package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/payload"
)

// sealed has whatever a test starts encrypt payloads.
func sealed(t *testing.T) (file string, keys *payload.Ring) {
	t.Helper()
	line, err := payload.NewKey("of-the-test")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "payload.keys")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_PAYLOAD_KEYS", file)
	if keys, err = payload.Read([]byte(line)); err != nil {
		t.Fatal(err)
	}
	return file, keys
}

// kept are the workflows of a run, with their histories, as Temporal stores them.
func kept(t *testing.T, temporal *engine.Connection, run string) map[string][]*historypb.HistoryEvent {
	t.Helper()
	all := map[string][]*historypb.HistoryEvent{}
	for _, id := range append(children(t, temporal, run), run) {
		events := temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			all[id] = append(all[id], e)
		}
	}
	return all
}

// children are all workflows below one.
func children(t *testing.T, temporal *engine.Connection, of string) (all []string) {
	t.Helper()
	r, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "RootWorkflowId = '" + of + "'"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.GetExecutions() {
		if id := e.GetExecution().GetWorkflowId(); id != of {
			all = append(all, id)
		}
	}
	return all
}

// TestNothingOfARunIsKeptInTheClear has a run go from its plan to its end with payload keys. A worker without them takes it up meanwhile,
// and whoever has others wants to tell it something.
func TestNothingOfARunIsKeptInTheClear(t *testing.T) {
	file, keys := sealed(t)
	in := install(t, postgrestest.Start(t).Database(t))
	at := in.serve()
	ann, bob := in.as("ann", at.at), in.as("bob", at.at)
	began := time.Now()
	name := in.of("sealed")
	hash := in.plan(ann, name)
	const said = "since the moon is full"
	run, err := ann.Run(t.Context(), engine.RunRequest{Plan: hash, Reason: said})
	if err != nil {
		t.Fatal(err)
	}
	in.until(run.Name, at, api.PhaseWaiting)
	if why, err := ann.Why(t.Context(), run.Name, ""); err != nil || len(why.Reasons) == 0 {
		t.Errorf("why says %+v, %v", why, err)
	}

	others, err := payload.Of("other", []byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	stranger := dial(t, in, others)
	_, err = stranger.Server().Temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run.Name, UpdateName: api.UpdatePause, Args: []any{api.Command{}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	for what, err := range map[string]error{
		"an update": err, "a signal": stranger.Server().Temporal.SignalWorkflow(t.Context(), run.Name, "", api.SignalCommand, api.StandingOrder{}),
	} {
		if fault.CodeOf(err) != fault.Invalid || !errors.Is(err, payload.ErrUnread) || !strings.Contains(err.Error(), "of-the-test") {
			t.Errorf("%s by whoever has another key: %v", what, err)
		}
	}

	in.halt()
	t.Setenv("SLUICE_PAYLOAD_KEYS", "")
	in.work("serving task queue")
	plain := dial(t, in, nil)
	approved := make(chan error, 1)
	go func() {
		_, err := bob.Command(context.WithoutCancel(t.Context()), run.Name, api.UpdateApprove, api.Command{Plan: hash, Reason: said})
		approved <- err
	}()
	waits := func() bool {
		return slices.ContainsFunc(kept(t, plain, run.Name)[run.Name], func(e *historypb.HistoryEvent) bool {
			return strings.Contains(e.GetWorkflowTaskFailedEventAttributes().GetFailure().GetMessage(), `its key "of-the-test" is none of those here`)
		})
	}
	for end := time.Now().Add(30 * time.Second); !waits(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a worker without keys does not say that it cannot read the run")
		}
	}
	in.halt()
	t.Setenv("SLUICE_PAYLOAD_KEYS", file)
	in.work("serving task queue")
	if err := <-approved; err != nil {
		t.Fatal(err)
	}
	in.until(run.Name, at, api.PhaseSucceeded)
	t.Logf("from plan to Succeeded in %s", time.Since(began).Round(time.Millisecond))
	if view, err := ann.Status(t.Context(), run.Name); err != nil || len(view.Stages) == 0 {
		t.Errorf("get says %+v, %v", view, err)
	}

	encrypted, more, size := 0, 0, 0 // payloads, and bytes
	for id, events := range kept(t, plain, run.Name) {
		for _, e := range events {
			raw, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			size += len(raw)
			if bytes.Contains(raw, []byte(said)) || bytes.Contains(raw, []byte("ann@example.org")) {
				t.Errorf("event %d of %s has in it what people said: %v", e.GetEventId(), id, e)
			}
			err = proxy.VisitPayloads(t.Context(), e, proxy.VisitPayloadsOptions{
				SkipSearchAttributes: true,
				Visitor: func(ctx *proxy.VisitPayloadsContext, all []*commonpb.Payload) ([]*commonpb.Payload, error) {
					for _, p := range all {
						if _, is := ctx.Parent.(*commonpb.Header); is {
							continue
						}
						if encoding := string(p.GetMetadata()["encoding"]); encoding != payload.Encoding {
							t.Errorf("event %d of %s (%v) has a payload that is %s: %s", e.GetEventId(), id, e.GetEventType(), encoding, p.GetData())
						}
						encrypted++
					}
					plain, err := keys.Decode(all)
					for i, p := range plain {
						more += proto.Size(all[i]) - proto.Size(p)
					}
					return all, err
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if encrypted < 20 {
		t.Errorf("only %d payloads were looked at", encrypted)
	}
	t.Logf("%d payloads; %d of the %d bytes of its histories are due to their encryption", encrypted, more, size)
}

func dial(t *testing.T, in *installation, keys *payload.Ring) *engine.Connection {
	t.Helper()
	c, err := engine.Dial(t.Context(), engine.DialOptions{Address: in.temporal, Namespace: "default", Payloads: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
