package traces

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
)

func TestHowSomethingEnded(t *testing.T) {
	for _, c := range []struct {
		reason string
		err    error
		kind   string // "" for no error
		with   string // attributes
	}{
		{"it went well", nil, "", "[]"},
		{"a fault has a code", temporal.NewApplicationError("hunter2", string(fault.Refused)), "refused", "[{error.type refused}]"},
		{"so has one that is wrapped", fmt.Errorf("hunter2: %w", temporal.NewApplicationError("hunter2", "Failed")), "Failed", "[{error.type Failed}]"},
		{"what is cancelled is no fault", temporal.NewCanceledError("hunter2"), "", "[{sluice.cancelled true}]"},
		{"nor what ends with a worker", fmt.Errorf("hunter2: %w", context.Canceled), "", "[{sluice.cancelled true}]"},
		{"it took too long", temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, errors.New("hunter2")), "timeout", "[{error.type timeout}]"},
		{"it had until then", context.DeadlineExceeded, "timeout", "[{error.type timeout}]"},
		{"nobody knows it", errors.New("hunter2"), "internal", "[{error.type internal}]"},
		{"it calls itself whatever it likes", temporal.NewApplicationError("", strings.Repeat("x", 900)),
			strings.Repeat("x", 61) + "...", "[{error.type " + strings.Repeat("x", 61) + "...}]"},
	} {
		recorded := tracetest.NewSpanRecorder()
		_, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded)).Tracer("").Start(t.Context(), "x")
		mark(span, c.err)
		span.End()
		s := recorded.Ended()[0]
		var with []string
		for _, a := range s.Attributes() {
			with = append(with, fmt.Sprintf("{%s %s}", a.Key, a.Value.String()))
		}
		if got := s.Status(); got.Description != c.kind || (got.Code == codes.Error) != (c.kind != "") || fmt.Sprint(with) != c.with {
			t.Errorf("%s: %+v, %v", c.reason, got, with)
		}
		if len(s.Events()) > 0 {
			t.Errorf("%s: the error itself is sent: %v", c.reason, s.Events())
		}
	}
}
