package runs

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// ends is a Temporal client that knows one workflow, which closes in a certain way.
type ends struct {
	client.Client
	client.WorkflowRun
	err error
}

func (e ends) GetWorkflow(context.Context, string, string) client.WorkflowRun { return e }
func (e ends) Get(context.Context, any) error                                 { return e.err }

func TestClosedTellsAnEndFromAServerThatCannotBeAsked(t *testing.T) {
	for _, c := range []struct {
		reason string
		err    error
		fails  bool
	}{
		{"it has ended well", nil, false},
		{"it has ended badly", &temporal.WorkflowExecutionError{}, false},
		{"nobody knows it any more", serviceerror.NewNotFound("no such workflow"), false},
		{"the server does not answer", serviceerror.NewUnavailable("down"), true},
		{"anything else", errors.New("boom"), true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			_, err := (&Activities{Client: ends{err: c.err}}).Closed(t.Context(), "prod/a/agent")
			if (err != nil) != c.fails {
				t.Errorf("%v", err)
			}
		})
	}
}
