package ask

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
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
