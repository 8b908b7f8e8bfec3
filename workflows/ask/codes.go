package ask

import (
	"encoding/json"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/workflows/pace"
)

// CodeOf returns the fault code that an activity ended with.
func CodeOf(err error) fault.Code {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return fault.Code(app.Type())
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return fault.Unreachable
	}
	return fault.Internal
}

// SaidLast is what an activity had said last that was told to end, or of which nothing is heard any more; nil where that is not known,
// or too much to be handed on.
func SaidLast(err error) (said json.RawMessage) {
	var canceled *temporal.CanceledError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &canceled) && canceled.HasDetails():
		err = canceled.Details(&said)
	case errors.As(err, &timeout) && timeout.HasLastHeartbeatDetails():
		err = timeout.LastHeartbeatDetails(&said)
	}
	if err != nil || len(said) > pace.Tuned().MaxHandedOn {
		return nil
	}
	return said
}

// MessageOf returns what an activity said, without the layers that Temporal puts around it.
func MessageOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START {
		return "no worker of its site takes work"
	}
	if errors.As(err, &timeout) {
		return "no worker did it in time (" + timeout.Message() + ")"
	}
	return err.Error()
}
