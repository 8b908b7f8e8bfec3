package payload

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// Converter is how Temporal's SDK writes and reads values: as a parent does, and encrypted. Within a workflow it panics where an encrypted
// payload cannot be read. The SDK has the workflow wait then, for a worker that has the key; by an error it would fail the run.
func (r *Ring) Converter(parent converter.DataConverter) converter.DataConverter {
	if parent == nil {
		parent = converter.GetDefaultDataConverter()
	}
	return outside{converter.NewCodecDataConverter(parent, r)}
}

// Failures is how Temporal's SDK writes and reads errors. With keys their messages are encrypted as well; their types are not, by which
// Temporal tells what is worth another try.
func (r *Ring) Failures(as converter.DataConverter) converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: as, EncodeCommonAttributes: r.Encrypts(),
	})
}

// outside converts for whoever is no workflow.
type outside struct{ converter.DataConverter }

var _ converter.ContextAware = outside{}

// WithWorkflowContext implements converter.ContextAware.
func (o outside) WithWorkflowContext(converter.WorkflowContext) converter.DataConverter {
	return within(o)
}

// WithContext implements converter.ContextAware.
func (o outside) WithContext(context.Context) converter.DataConverter { return o }

// within converts for a workflow.
type within struct{ converter.DataConverter }

// FromPayload implements converter.DataConverter.
func (w within) FromPayload(p *commonpb.Payload, into any) error {
	return orWait(w.DataConverter.FromPayload(p, into))
}

// FromPayloads implements converter.DataConverter.
func (w within) FromPayloads(p *commonpb.Payloads, into ...any) error {
	return orWait(w.DataConverter.FromPayloads(p, into...))
}

func orWait(err error) error {
	if errors.Is(err, ErrUnread) {
		panic(err)
	}
	return err
}
