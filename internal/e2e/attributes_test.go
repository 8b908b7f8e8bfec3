package e2e_test

import (
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/worker"
)

func TestAWorkerBringsItsSearchAttributesToANamespaceOfOnesOwn(t *testing.T) {
	s := newSite(t, "namespaces")
	c, err := engine.Dial(t.Context(), engine.DialOptions{Dir: s.stack.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const namespace = "own"
	_, err = c.Client.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for range 100 { // a new namespace is known everywhere some seconds later
		if last = worker.EnsureSearchAttributes(t.Context(), c.Client, namespace); last == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if last != nil {
		t.Fatal(last)
	}
	if err := worker.EnsureSearchAttributes(t.Context(), c.Client, namespace); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
